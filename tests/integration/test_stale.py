"""Enrollments that wait for a person who does nothing: found by an index, and ended if somebody says so."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pauser import WHO, Pauser
from people_at_work import until_step
from stage_site import Site
from world import World

from engine.clock import advance
from engine.errors import InvalidInput, NotFound
from engine.outbox import stale
from engine.wakeups import Wakeups
from producers.signals import About, Heard, take_signal
from producers.stale import Found, end_stale, find_stale
from producers.tasks import acts
from producers.workspaces import find_workspace
from schema.states import SignalKind
from workers.stale_rule import StaleRule

CALLS = """
sequence: calls
name: Calls
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: ring, type: call, name: Ring them, delay: 1 day, assignee: maria}
  - {key: bye, type: sms, delay: 1 day, body: Bye}
"""
MONTH = timedelta(days=30)


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


@pytest.fixture
def calls(world: World) -> World:
    """Two people, the first message to each sent, and the call to each of them due."""
    world.publish(CALLS)
    world.enroll("calls", count=2, first_name="Ada")
    world.execute("UPDATE outbox SET status = 'sent', sent_at = sequence_now() WHERE step_key = 'hello'")
    jump(world, 1)
    world.execute("UPDATE outbox SET status = 'open' WHERE step_key = 'ring'")
    world.execute(
        "INSERT INTO tasks (workspace_id, enrollment_id, outbox_id, type, name, assignee)"
        " SELECT 1, enrollment_id, id, 'call', 'Ring them', 'maria' FROM outbox WHERE step_key = 'ring'"
    )
    return world


def jump(world: World, days: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(days=days))


def stale_ones(world: World, sequence: str | None = None) -> list[int]:
    return [one.enrollment for one in find_stale(world.database, "default", MONTH, sequence).enrollments]


def hear(world: World, kind: SignalKind, **more: Any) -> None:
    with world.database.transaction() as session:
        about = About(enrollment_id=1, step="hello") if kind is SignalKind.OPENED else About(email="user1@example.com")
        take_signal(session, find_workspace(session, "default"), Heard(kind, about, **more))


def test_who_waits_for_a_person_and_since_when_is_told(calls: World) -> None:
    jump(calls, 29)
    assert stale_ones(calls) == []
    jump(calls, 1.1)
    first, second = find_stale(calls.database, "default", MONTH, "calls").enrollments
    ((due,),) = calls.query("SELECT due_at FROM outbox WHERE step_key = 'ring' AND enrollment_id = 1")
    assert (first.enrollment, second.enrollment) == (1, 2)
    assert (first.step, first.task, first.type, first.assignee) == ("ring", "Ring them", "call", "maria")
    assert first.since == first.last_at == due
    assert first.name.startswith("Calls - Ada - ")
    assert stale_ones(calls, "follow-up") == []
    with pytest.raises(NotFound):
        stale_ones(calls, "nothing")
    with pytest.raises(InvalidInput, match="more than 0"):
        find_stale(calls.database, "default", timedelta())


@pytest.mark.parametrize(
    "what",
    ["an event", "a task given to somebody", "a task reopened", "a snooze", "a task done", "its end", "its pause"],
)
def test_one_of_which_something_was_heard_is_not(calls: World, what: str) -> None:
    jump(calls, 20)
    with calls.database.transaction() as session:
        match what:
            case "a task given to somebody":
                acts.reassign(session, 1, 1, "ring", "olaf")
            case "a task reopened":
                acts.complete(session, 1, 1, "ring")
                acts.reopen(session, 1, 1, "ring")
            case "a snooze":
                acts.snooze(session, 1, 1, "ring", timedelta(days=100))
            case "a task done":
                acts.complete(session, 1, 1, "ring")
            case "its end":
                acts.complete(session, 1, 1, "ring")
                session.execute("UPDATE enrollments SET status = 'completed', completed_at = now() WHERE id = 1")
            case "its pause":
                session.execute("UPDATE enrollments SET status = 'paused', paused_at = now() WHERE id = 1")
    if what == "an event":
        hear(calls, SignalKind.CUSTOM, name="visited")
    jump(calls, 10.1)
    assert stale_ones(calls) == [2]


def test_what_a_machine_does_is_nothing(calls: World) -> None:
    calls.execute("UPDATE outbox SET type = 'email' WHERE step_key = 'hello'")
    jump(calls, 20)
    hear(calls, SignalKind.OPENED, user_agent="Barracuda Sentinel (EE)")
    assert calls.query("SELECT payload ->> 'machine' IS NOT NULL FROM events") == [(True,)]
    jump(calls, 10.1)
    assert stale_ones(calls) == [1, 2]


def test_one_that_is_held_is_meant_to_stand_still(calls: World, wakeups: Wakeups) -> None:
    jump(calls, 31)
    Pauser(calls, wakeups, "workspace").pause()
    assert stale_ones(calls) == []


def test_they_are_ended_with_a_reason(calls: World) -> None:
    jump(calls, 31)
    found = find_stale(calls.database, "default", MONTH)
    seen: list[int] = []
    assert end_stale(calls.database, WHO, found, seen.append) == [1, 2]
    assert seen == [2]
    assert calls.query("SELECT DISTINCT status, exit_reason FROM enrollments") == [("cancelled", "stale")]
    assert calls.rows("step_key, status, reason", "enrollment_id = 1") == [
        ("hello", "sent", None),
        ("ring", "cancelled", "stale"),
        ("bye", "cancelled", "stale"),
    ]
    noted = calls.query("SELECT made_by, was, became, reason FROM history WHERE enrollment_id = 2")
    assert noted == [("ann", "active", "cancelled", "stale; holidays")]
    assert end_stale(calls.database, WHO, found) == []


def test_one_that_went_on_meanwhile_is_left(calls: World) -> None:
    jump(calls, 31)
    found = find_stale(calls.database, "default", MONTH)
    with calls.database.transaction() as session:
        acts.complete(session, 1, 1, "ring")
    hear(calls, SignalKind.CUSTOM, name="visited")
    calls.enroll("calls")
    again = Found(found.workspace_id, found.idle, found.enrollments)
    assert end_stale(calls.database, WHO, again) == [2]
    assert calls.query("SELECT status FROM enrollments ORDER BY id") == [("active",), ("cancelled",), ("active",)]


#: Many that wait for a person since yesterday, and many messages.
MANY = """
INSERT INTO contacts (workspace_id, external_id) SELECT 1, 'm' || number FROM generate_series(1, 20000) AS number;
INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, enrolled_at)
SELECT 1, 99, 1, id, 'always', sequence_now() FROM contacts WHERE external_id LIKE 'm%';
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at)
SELECT 1, id, 1, 'x', 'call', 'open', sequence_now() FROM enrollments WHERE sequence_id = 99;
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at, sent_at)
SELECT 1, id, 2, 'y', 'sms', 'sent', sequence_now(), sequence_now() FROM enrollments WHERE sequence_id = 99;
INSERT INTO tasks (workspace_id, enrollment_id, outbox_id, type, name)
SELECT 1, enrollment_id, id, 'call', 'x' FROM outbox WHERE step_key = 'x';
INSERT INTO events (workspace_id, provider, kind, provider_id, status, contact_id, payload, occurred_at)
SELECT 1, 'cadenza', 'signal', id, 'custom', id, '{}', sequence_now() FROM contacts WHERE external_id LIKE 'm%';
INSERT INTO history (sequence_at, workspace_id, enrollment_id, made_by, became)
SELECT sequence_now(), 1, id, 'ann', 'paused' FROM enrollments WHERE sequence_id = 99;
ANALYZE
"""


def test_few_among_many_are_found_without_reading_a_table(calls: World) -> None:
    jump(calls, 31)
    for statement in MANY.split(";"):
        calls.execute(statement.replace("%", "%%"))
    asked = {"workspace": 1, "before": datetime.now(UTC), "sequence": None, "among": None, "versions": None}
    with calls.database.transaction() as session:
        rows = session.execute(f"EXPLAIN {stale.FIND}".encode(), asked).fetchall()
    plan = "\n".join(line for (line,) in rows)
    for table in ("outbox", "enrollments", "events", "history", "tasks"):
        assert f"Seq Scan on {table} " not in plan, plan
    assert "outbox_tasks_idx" in plan, plan
    assert stale_ones(calls) == [1, 2]


@pytest.fixture
def ruled(world: World) -> World:
    """One contact in a version with the rule, one in a later version without, and the call to each of them due."""
    world.publish(CALLS.replace("steps:", "stale_after: 30 days\nsteps:"))
    world.enroll("calls", first_name="Ada")
    world.publish(CALLS)
    world.enroll("calls", first_name="Ben")
    world.execute("UPDATE outbox SET status = 'sent', sent_at = sequence_now() WHERE step_key = 'hello'")
    jump(world, 1)
    world.execute("UPDATE outbox SET status = 'open' WHERE step_key = 'ring'")
    return world


def look(world: World) -> int:
    return StaleRule(world.database).apply(lambda: None)


def test_a_rule_ends_what_is_stale_in_its_version_alone(ruled: World) -> None:
    jump(ruled, 29)
    assert look(ruled) == 0
    jump(ruled, 2)
    assert look(ruled) == 1
    assert ruled.query("SELECT id, status, exit_reason FROM enrollments ORDER BY id") == [
        (1, "cancelled", "stale"),
        (2, "active", None),
    ]
    assert ruled.query("SELECT status FROM outbox WHERE enrollment_id = 1 ORDER BY id") == [
        ("sent",),
        ("cancelled",),
        ("cancelled",),
    ]
    assert ruled.query("SELECT made_by, reason FROM history WHERE became = 'cancelled'") == [
        ("exit rule", "stale; nothing happened for 30 days")
    ]


def test_what_happens_meanwhile_and_a_pause_keep_it_from_being_stale(ruled: World, wakeups: Wakeups) -> None:
    jump(ruled, 20)
    hear(ruled, SignalKind.OPENED)
    jump(ruled, 20)
    assert look(ruled) == 0
    Pauser(ruled, wakeups, "enrollment").pause()
    jump(ruled, 40)
    assert look(ruled) == 0


def test_the_leader_of_the_sweep_looks(site: Site) -> None:
    site.world.publish(
        CALLS.replace("steps:", "stale_after: 3 days\nsteps:").replace("delay: 1 day", "delay: 1 minute")
    )
    site.enroll("calls")
    with site.working():
        until_step(site, "hello", "sent")
        site.jump(0.01)
        until_step(site, "ring", "open")
    site.jump(4)
    with site.working():
        until_step(site, "ring", "cancelled")
    assert site.world.query("SELECT exit_reason FROM enrollments") == [("stale",)]
