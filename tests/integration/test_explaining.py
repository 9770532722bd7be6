"""Explain an enrollment: its steps, what was decided and why, and what comes next."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from world import World

from deploy.cli.explain import _lines
from engine.clock import advance
from engine.errors import NotFound
from engine.outbox import explain
from engine.outbox.engagement import ENGAGEMENT
from engine.outbox.history import STORY
from engine.outbox.settle import Ending, settle
from producers.explaining import Explained, explain_enrollment
from producers.inbound import InboundMessage, receive
from producers.operator import Operator
from producers.pausing import pause_all, pause_enrollment
from producers.signals import About, Heard, take_signal
from producers.steering import cancel
from producers.tasks.acts import complete
from producers.tenants import Tenant
from producers.workspaces import find_workspace
from schema.states import RowStatus, SignalKind

WHO = Operator("default", "ann", "holidays")


def explained(world: World) -> Explained:
    return explain_enrollment(world.database, "default", 1)


def says(world: World) -> str:
    return str(explained(world).next["says"])


def ended(world: World, where: str, *given: Any, **more: Any) -> None:
    """Let a row be claimed, begun and settled."""
    (row,) = world.begin(world.ids(where))
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, row.channel, *given, **more)])


def test_every_step_is_told_with_its_times_and_attempts(world: World) -> None:
    world.enroll(first_name="Ada", last_name="Lovelace", timezone="Asia/Tokyo")
    ended(world, "step_order = 1", RowStatus.PENDING, "busy", 1, 0.0, "deferred", error_code="429", detail="busy")
    ended(world, "step_order = 1", RowStatus.SENT, outcome="accepted", provider_id="SM1")
    one = explained(world)
    assert one.name == f"Follow up - Ada Lovelace - {one.enrolled_at.astimezone(ZoneInfo('Asia/Tokyo')):%Y-%m-%d}"
    assert (one.sequence, one.version, one.status, one.timezone) == ("follow-up", 1, "active", "Asia/Tokyo")
    first, second, third = one.steps
    assert [step["status"] for step in one.steps] == ["sent", "pending", "pending"]
    assert [attempt["outcome"] for attempt in first["attempts"]] == ["deferred", "accepted"]
    assert (first["provider_id"], first["attempts"][0]["error_code"]) == ("SM1", "429")
    assert third["due_at"] - second["due_at"] == timedelta(days=1)
    assert [step["due_because"] for step in one.steps] == [[], *[["1 day after the step before"]] * 2]
    assert second["local_due_at"] == second["due_at"]
    assert second["local_due_at"].utcoffset() == timedelta(hours=9)
    assert one.next == {"step": "second", "due_at": second["due_at"], "says": "second: goes out when it is due"}


BY_CALENDAR = """
sequence: by-calendar
timezone: contact
steps:
  - {key: first, type: sms, at: "21:00", body: Hi}
  - {key: second, type: email, delay: 2 days, subject: Hello, text: Hello}
  - {key: third, type: email, delay: 1 day, window: {days: [mon], from: "09:00", to: "17:00"}, subject: Hi, text: Hi}
"""


def test_why_a_step_is_due_when_it_is(world: World) -> None:
    world.publish(BY_CALENDAR)
    world.execute("UPDATE workspaces SET quiet_hours = '20:00-09:00'")
    world.enroll("by-calendar", timezone="Europe/Berlin")
    first, second, third = (step["due_because"] for step in explained(world).steps)
    assert first == ["at 21:00 in Europe/Berlin", "quiet hours 20:00-09:00 in Europe/Berlin"]
    assert second == ["2 days after the step before"]
    assert third[0] == "1 day after the step before"
    world.execute("UPDATE outbox SET due_at = due_at + interval '1 second' WHERE step_key = 'second'")
    assert [step["due_because"] for step in explained(world).steps][1] == [], "somebody has moved it"


def test_the_law_that_moved_a_message_is_named(world: World) -> None:
    world.publish('sequence: a\nsteps: [{key: a, type: sms, after: {attribute: day}, at: "10:00", body: Hi}]')
    world.execute("UPDATE workspaces SET quiet_hours = 'off, strict'")
    sunday = {"day": "2127-06-08", "state": "Texas"}
    world.enroll("a", timezone="America/Chicago", attributes=sunday)
    (step,) = explained(world).steps
    assert step["due_because"] == [
        "on day, 2127-06-08",
        "at 10:00 in America/Chicago",
        "quiet hours of Texas: Sunday before 12:00 in America/Chicago",
    ]


def test_the_history_is_whole_and_in_order(world: World) -> None:
    world.enroll()
    ended(world, "step_order = 1", RowStatus.SENT, outcome="accepted", provider_id="SM1", detail="queued")
    pause_enrollment(world.database, WHO, 1)
    cancel(world.database, Operator("default", "bob"), 1)
    told = [(one["step"], one["made_by"], one["was"], one["became"], one["reason"]) for one in explained(world).history]
    assert told == [
        (None, "event", None, "active", None),
        ("first", "worker", "pending", "sending", None),
        ("first", "worker", "sending", "accepted", "queued"),
        (None, "ann", "active", "paused", "holidays"),
        (None, "bob", "paused", "cancelled", None),
    ]


def test_what_comes_next_is_told_of_every_standing(world: World) -> None:
    world.enroll(phone="+12025550101")
    assert says(world) == "first: is due, and goes out as soon as a worker takes it"
    world.execute("UPDATE dispatch SET open_until = now()")
    assert "waits for dispatch to open" in says(world)
    world.execute("UPDATE dispatch SET open_until = 'infinity'")
    world.execute("UPDATE outbox SET retry_at = now() + interval '1 hour' WHERE step_order = 1")
    assert "is tried again in 3" in says(world)
    world.execute("UPDATE outbox SET retry_at = NULL")
    world.execute("INSERT INTO suppressions VALUES (DEFAULT, 1, 'sms', '+12025550101', 'stop')")
    assert says(world) == "first: will be skipped now: its recipient is suppressed (stop)"
    world.execute("DELETE FROM suppressions")
    with world.database.transaction() as session:
        advance(session, timedelta(days=2))
    world.execute("UPDATE outbox SET due_at = due_at - interval '2 days'")
    world.execute("DELETE FROM clock WHERE id > 1")
    assert says(world) == "first: will be skipped: it is too late"
    world.execute("UPDATE outbox SET due_at = due_at + interval '2 days'")
    world.execute("UPDATE contacts SET phone = NULL")
    assert says(world) == "first: will be skipped now: the contact has no phone"


def test_what_keeps_it_is_told(world: World) -> None:
    world.enroll(count=2)
    pause_all(world.database, WHO, None)
    assert says(world) == "first: waits until its workspace is resumed, paused by ann"
    pause_enrollment(world.database, Operator("default", "bob"), 1)
    assert says(world) == "first: waits until its enrollment is resumed, paused by bob"
    assert [pause["of"] for pause in explained(world).paused] == ["enrollment", "workspace"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("sending", "is on its way"),
        ("unknown", "looked up at the provider"),
        ("open", "waits for a person"),
        ("waiting", "waits for what comes before it"),
    ],
)
def test_what_is_under_way_is_told(world: World, status: str, expected: str) -> None:
    world.enroll()
    lease = "now()" if status == "sending" else "NULL"
    world.execute(f"UPDATE outbox SET status = %s, lease_until = {lease} WHERE step_order = 1", status)
    assert expected in says(world)


def test_when_nothing_comes_any_more_that_is_told(world: World) -> None:
    world.enroll()
    cancel(world.database, WHO, 1)
    assert says(world) == "nothing: it ended early (operator)"
    with pytest.raises(NotFound, match="no enrollment 2"):
        explain_enrollment(world.database, "default", 2)
    with pytest.raises(NotFound, match="no enrollment"):
        explain_enrollment(world.database, "default", 2**70)


MANY = """
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at)
SELECT 1, 1000 + number, 1, 'x', 'sms', 'pending', now() FROM generate_series(1, 20000) AS number;
INSERT INTO attempt_records (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds)
SELECT 100000 + number, 1, 1, 'sms', '+12025550100', '{}', 0 FROM generate_series(1, 20000) AS number;
INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, enrolled_at)
SELECT 1, 99, 1, number, 'always', now() FROM generate_series(1, 20000) AS number;
INSERT INTO history (sequence_at, workspace_id, enrollment_id, made_by, became)
SELECT now(), 1, 1000 + number, 'ann', 'paused' FROM generate_series(1, 20000) AS number;
ANALYZE
"""


def test_it_scans_no_table(world: World) -> None:
    world.enroll()
    for statement in MANY.split(";"):
        world.execute(statement.replace("%", "%%"))
    asked = {"workspace": 1, "enrollment": 1, "content": False}
    for query in (explain.ABOUT, explain.STEPS, explain.HOLDS, explain.PAUSED_BY, STORY, ENGAGEMENT):
        with world.database.transaction() as session:
            rows = session.execute(f"EXPLAIN {query}".encode(), asked).fetchall()
        plan = "\n".join(line for (line,) in rows)
        for table in ("outbox", "attempt_records", "enrollments", "history", f"m{datetime.now(UTC):%Y_%m}"):
            assert f"Seq Scan on {table}" not in plan, plan


ENGAGING = """
sequence: engaging
name: Engaging
exit_on: []
steps:
  - {key: mail, name: The offer, type: email, subject: "Hi {{ contact.first_name }}", text: Hello}
  - {key: ring, type: call, delay: 1 day}
"""


def test_it_shows_engagement_content_counts_and_names(world: World) -> None:
    world.publish(ENGAGING)
    world.enroll("engaging", first_name="Ada")
    (row,) = world.begin(world.ids("step_order = 1"), payload='{"subject": "Hi Ada", "text": "Hello\\nthere"}')
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "email", RowStatus.SENT, outcome="accepted", provider_id="<1@x>")])
        workspace, about = find_workspace(session, "default"), About(enrollment_id=1, step="mail")
        for kind, more in (
            ("opened", {"key": "1"}),
            ("opened", {"key": "2"}),
            ("opened", {"key": "3", "user_agent": "Mozilla/5.0"}),
            ("clicked", {"key": "4", "link": "https://example.com/b"}),
            ("clicked", {"key": "5", "link": "https://example.com/a"}),
            ("clicked", {"key": "6", "link": "https://example.com/a"}),
        ):
            take_signal(session, workspace, Heard(SignalKind(kind), about, **more))
    told = explain_enrollment(world.database, "default", 1)
    assert told.counts == {"steps": 2, "ended": 1, "sent": 1, "opened": 1, "clicked": 1}
    mail, ring = told.steps
    assert mail["engagement"] == {
        "opened": 2,
        "opened_by_machine": 1,
        "clicked": 3,
        "clicked_by_machine": 0,
        "links": ["https://example.com/a", "https://example.com/b"],
    }
    assert (ring["engagement"], mail["name"]) == (None, "The offer")
    assert (mail["attempts"][0]["recipient"], mail["attempts"][0]["content"]) == ("user1@example.com", None)
    shown = _lines(explain_enrollment(world.database, "default", 1, content=True))
    for line in (
        "  engaging (Engaging), version 1: active",
        "  1 of 2 steps ended; 1 sent, 1 opened, 1 clicked",
        "   opened 2 times by people, opened 1 time by machines, clicked 3 times by people",
        "     clicked https://example.com/a",
        "     subject: Hi Ada",
        "     | Hello",
        "     | there",
    ):
        assert line in shown, shown


def test_it_names_the_code_in_words_replies_and_the_moment_a_wait_was_met(world: World) -> None:
    world.publish("sequence: told\nexit_on: []\nsteps: [{key: text, type: sms, body: Hi}, {key: then, type: call}]")
    world.enroll("told", phone="+12025550101")
    world.execute(
        "UPDATE outbox SET status = 'failed', reason = 'x', error_code = '30005', delivery_status = 'undelivered'"
        " WHERE step_key = 'text'"
    )
    with world.database.transaction() as session:
        body = {"From": "+12025550101", "Body": "Call me at noon"}
        receive(
            session, Tenant(1, "Default", "US", "secret"), InboundMessage("SM1", body["From"], body["Body"], None, body)
        )
        complete(session, 1, 1, "then")
    told = explain_enrollment(world.database, "default", 1)
    assert [(one["says"], one["text"]) for one in told.heard] == [("reply", "Call me at noon")]
    text, then = told.steps
    assert text["error_says"] == "unknown destination: the number does not exist any more"
    assert then["ended_at"] is not None
    shown = "\n".join(_lines(told))
    assert "the provider says 30005 (unknown destination: the number does not exist any more)" in shown
    assert "reply: 'Call me at noon'" in shown
    assert "   ended " in shown
