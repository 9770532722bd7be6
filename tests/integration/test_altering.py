"""One enrollment's own steps: other delays, and steps that are taken out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from people_at_work import act, until_step
from stage_site import GENEROUS, Site
from world import World

from deploy.audit.audit import audit
from engine.clock import advance, sequence_now
from engine.errors import InvalidInput, NotFound, UnderWay
from engine.wakeups import Wakeups
from producers.altering import delete_step, reschedule
from producers.explaining import explain_enrollment
from producers.operator import Operator
from producers.tasks.listing import tasks
from schema.definition import Delay
from schema.states import TaskState

WHO = Operator("default", "ann", "they asked")

GATES = """
sequence: gates
steps:
  - {key: hello, type: sms, body: Hi}
  - {key: call, type: call, delay: 1 day}
  - {key: after, type: sms, delay: 1 day, body: After}
  - {key: bye, type: sms, delay: 2 days, body: Bye}
"""


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


def days(world: World) -> dict[str, float | None]:
    """When the steps are due, in days after the enrollment."""
    due = "extract(epoch FROM o.due_at - e.enrolled_at)::float8 / 86400"
    rows = world.query(f"SELECT o.step_key, {due} FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id")
    return {key: None if day is None else round(day, 3) for key, day in rows}


def jump(world: World, by: float) -> None:
    with world.database.transaction() as session:
        advance(session, timedelta(days=by))


def now(world: World) -> datetime:
    with world.database.transaction() as session:
        return sequence_now(session)


def test_another_delay_moves_those_behind_too(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    done = reschedule(world.database, wakeups, WHO, 1, "second", delay=Delay(days=3))
    assert done.due_at is not None
    assert "3 days after the step before" in done.says
    assert days(world) == {"first": 0.0, "second": 3.0, "third": 4.0}
    reschedule(world.database, wakeups, WHO, 1, "second", delay=Delay(seconds=7_200))
    assert days(world) == {"first": 0.0, "second": round(1 / 12, 3), "third": round(13 / 12, 3)}
    told = explain_enrollment(world.database, "default", 1)
    assert told.modified
    assert [step["own_delay"] for step in told.steps] == [None, "2 hours", None]
    assert [one["became"] for one in told.history if one["made_by"] == "ann"] == ["rescheduled"] * 2


def test_a_moment_of_its_own(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    at = now(world) + timedelta(days=5)
    assert reschedule(world.database, wakeups, WHO, 1, "third", at=at).due_at == at
    assert days(world)["second"] == 1.0
    with pytest.raises(InvalidInput, match="would overtake"):
        reschedule(world.database, wakeups, WHO, 1, "third", at=now(world) + timedelta(hours=3))
    with pytest.raises(InvalidInput, match="has passed"):
        reschedule(world.database, wakeups, WHO, 1, "first", at=now(world) - timedelta(hours=3))
    jump(world, 0.5)
    with pytest.raises(InvalidInput, match="has passed"):
        reschedule(world.database, wakeups, WHO, 1, "second", delay=Delay(seconds=3_600))
    with pytest.raises(InvalidInput, match="at least 1 minute"):
        reschedule(world.database, wakeups, WHO, 1, "second", delay=Delay())


def test_it_is_told_where_a_step_lands_that_would_be_outside_of_its_window(world: World, wakeups: Wakeups) -> None:
    world.publish(
        """
sequence: office
timezone: UTC
window: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}
steps: [{key: one, type: sms, body: Hi}, {key: two, type: sms, delay: 1 day, body: Hi}]
"""
    )
    world.enroll("office")
    start = now(world)
    saturday = (start + timedelta(days=7 + (5 - start.weekday()) % 7)).replace(
        hour=12, minute=0, second=0, microsecond=0
    )
    done = reschedule(world.database, wakeups, WHO, 1, "two", at=saturday)
    assert done.due_at == (saturday + timedelta(days=2)).replace(hour=9)
    assert f"not at {saturday.isoformat()}" in done.says


def test_what_waits_behind_a_gate_takes_its_delay_when_its_turn_comes(site: Site) -> None:
    world = site.world
    world.publish(GATES)
    site.enroll("gates")
    done = reschedule(world.database, site.wakeups, WHO, 1, "after", delay=Delay(days=4))
    assert done.due_at is None
    with pytest.raises(InvalidInput, match="no time yet"):
        reschedule(world.database, site.wakeups, WHO, 1, "bye", at=datetime(2100, 1, 1, tzinfo=UTC))
    with site.working():
        until_step(site, "hello", "sent")
        site.jump(1)
        until_step(site, "call", "open")
        with pytest.raises(InvalidInput, match="is with a person"):
            reschedule(world.database, site.wakeups, WHO, 1, "call", delay=Delay(days=4))
        act(site, "complete", 1, "call")
    due = world.query(
        "SELECT round(extract(epoch FROM due_at - sequence_now()) / 864)::int FROM outbox"
        " WHERE step_order > 2 ORDER BY step_order"
    )
    assert due == [(400,), (600,)]


def test_what_is_behind_a_deleted_step_goes_on_as_if_it_had_never_been(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    reschedule(world.database, wakeups, WHO, 1, "second", delay=Delay(days=6))
    delete_step(world.database, wakeups, WHO, 1, "second")
    assert world.rows("step_key, status, reason") == [
        ("first", "pending", None),
        ("second", "skipped", "deleted"),
        ("third", "pending", None),
    ]
    assert days(world)["third"] == 1.0
    told = explain_enrollment(world.database, "default", 1)
    assert told.modified
    assert [step["own_delay"] for step in told.steps] == [None] * 3
    assert ("second", "pending", "skipped", "they asked; deleted") in [
        (one["step"], one["was"], one["became"], one["reason"]) for one in told.history
    ]


def test_a_deleted_gate_lets_the_rest_go_on(site: Site) -> None:
    world = site.world
    world.publish(GATES)
    site.enroll("gates")
    with site.working():
        until_step(site, "hello", "sent")
        delete_step(world.database, site.wakeups, WHO, 1, "call")
        assert {key: round(day) for key, day in days(world).items() if day is not None} == {
            "hello": 0,
            "call": 1,
            "after": 1,
            "bye": 3,
        }
        delete_step(world.database, site.wakeups, WHO, 1, "bye")
        site.jump(1)
        until_step(site, "after", "sent")
    assert world.query("SELECT status FROM enrollments") == [("completed",)]
    with world.database.transaction() as session:
        found = tasks(session, 1, (TaskState.SKIPPED,))
    assert [(task.step, task.modified) for task in found] == [("call", True)]
    assert audit(world.database, site.sandbox.ledger).clean


def test_the_last_step_deleted_completes_the_enrollment(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    for key in ("third", "first", "second"):
        delete_step(world.database, wakeups, WHO, 1, key)
    assert world.query("SELECT status FROM enrollments") == [("completed",)]
    with pytest.raises(InvalidInput, match="is completed"):
        delete_step(world.database, wakeups, WHO, 1, "second")


def test_what_has_begun_stays(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    world.begin(world.ids("step_key = 'first'"))
    with pytest.raises(UnderWay, match="on its way"):
        delete_step(world.database, wakeups, WHO, 1, "first")
    with pytest.raises(UnderWay, match="on its way"):
        reschedule(world.database, wakeups, WHO, 1, "first", delay=Delay(days=1))
    with pytest.raises(NotFound, match="unknown step 'fourth'"):
        delete_step(world.database, wakeups, WHO, 1, "fourth")
    with pytest.raises(NotFound, match="no enrollment 99"):
        delete_step(world.database, wakeups, WHO, 99, "first")


def test_of_two_who_delete_at_once_one_does_and_the_other_is_told(world: World, wakeups: Wakeups) -> None:
    world.enroll()
    start = Barrier(2)
    told: list[Any] = []

    def deleting() -> None:
        start.wait(GENEROUS)
        try:
            told.append(delete_step(world.database, wakeups, WHO, 1, "second").step)
        except InvalidInput as error:
            told.append(str(error))

    both = [Thread(target=deleting, daemon=True) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(GENEROUS)
    assert sorted(told, key=len) == ["second", "step 'second' of enrollment 1 is skipped (deleted)"]
    assert world.query("SELECT count(*)::int FROM history WHERE became = 'skipped'") == [(1,)]
