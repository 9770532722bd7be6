"""Time zones, windows and quiet hours from enrollment to the claim, in a real database with real workers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from stage_site import Site, wait_for

from engine import clock
from engine.database import Database
from engine.outbox.following import Settled, shift_behind
from engine.outbox.settle import Ending, settle
from engine.wakeups import Wakeups
from producers.bulk.run import run_bulk
from producers.workspaces import change
from schema.states import AttemptOutcome, RowStatus

BY_ZONE = """
sequence: by-zone
window: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:00"}
steps:
  - {key: first, type: email, subject: Hi, text: Hello}
  - {key: second, type: email, delay: 1 day, at: "10:30", subject: Hi, text: Hello}
  - {key: third, type: sms, delay: 2 business days, body: Hi, quiet_hours: {}}
"""
BY_DATE = """
sequence: by-date
steps:
  - {key: now, type: email, subject: Hi, text: Hello}
  - {key: soon, type: email, before: {attribute: renewal, by: 3 days}, at: "09:00", subject: Hi, text: Hello}
  - {key: then, type: email, delay: 1 day, subject: Hi, text: Hello}
"""
ONLY_BY_DATE = """
sequence: only-by-date
steps:
  - {key: soon, type: email, before: {attribute: renewal, by: 3 days}, at: "09:00", subject: Hi, text: Hello}
"""
AT_NIGHT = """
sequence: at-night
steps:
  - {key: first, type: sms, body: First}
  - {key: second, type: email, delay: 1 hour, subject: Second, text: Hello}
  - {key: third, type: sms, delay: 1 day, body: Third}
"""
EITHER = (
    "the contact has no date in renewal: '03/04/2027' may be 2027-03-04 or 2027-04-03:"
    " write it so, or say date_format: MDY or DMY in the sequence"
)
ZONES = ["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Berlin", ""]

#: A Friday evening in Europe, four weeks before the clocks change there and a week after they did in America.
FRIDAY = datetime(2027, 3, 19, 18, 30, tzinfo=UTC)


def travel(database: Database, moment: datetime) -> None:
    """Move the sequence clock ahead to a moment."""
    with database.transaction() as session:
        clock.advance(session, moment - clock.sequence_now(session))


def local(moment: datetime, zone: str) -> str:
    """A moment as the clocks of a zone show it."""
    return moment.astimezone(ZoneInfo(zone or "Asia/Tokyo")).strftime("%a %Y-%m-%d %H:%M")


def rows_of(world: Any, columns: str = "c.timezone, o.step_key, o.due_at") -> list[tuple[Any, ...]]:
    """Outbox rows with what is known of their contacts."""
    found: list[tuple[Any, ...]] = world.query(
        f"SELECT {columns} FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id"
        " JOIN contacts c ON c.id = e.contact_id ORDER BY e.contact_id, o.step_order"
    )
    return found


def assert_by_zone(rows: Iterable[tuple[Any, ...]]) -> None:
    """Each step at its time where its contact is; who says nothing is in Tokyo, with the workspace."""
    for zone, key, due_at in rows:
        first = {
            "America/New_York": "Fri 2027-03-19 14:30",
            "Asia/Kolkata": "Mon 2027-03-22 09:00",
            "Australia/Lord_Howe": "Mon 2027-03-22 09:00",
            "Europe/Berlin": "Mon 2027-03-22 09:00",
            None: "Mon 2027-03-22 09:00",
        }[zone]
        american = zone == "America/New_York"
        expected = {
            "first": first,
            "second": "Mon 2027-03-22 10:30" if american else "Tue 2027-03-23 10:30",
            "third": "Wed 2027-03-24 10:30" if american else "Thu 2027-03-25 10:30",
        }[key]
        assert local(due_at, zone or "") == expected, (zone, key)


@pytest.fixture
def tokyo(world: Any) -> Any:
    """A world whose workspace is in Tokyo, on a Friday evening."""
    with world.database.transaction() as session:
        change(session, "default", timezone="Asia/Tokyo")
    world.publish(BY_ZONE)
    world.publish(BY_DATE)
    world.publish(ONLY_BY_DATE)
    travel(world.database, FRIDAY)
    return world


def test_events_are_planned_where_their_contact_is(tokyo: Any) -> None:
    for zone in ZONES:
        tokyo.enroll("by-zone", timezone=zone or None, phone=f"+8190123456{tokyo.enrolled:02}")
    assert len(rows_of(tokyo)) == 3 * len(ZONES)
    assert_by_zone(rows_of(tokyo))


def test_a_file_is_planned_where_its_contacts_are(tokyo: Any, tmp_path: Path, redis_url: str) -> None:
    lines = [f"p{n}@example.com,+819012345{n:03},{ZONES[n % len(ZONES)]}" for n in range(200)]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(["email,phone,timezone", *lines]))
    wakeups = Wakeups(redis_url)
    report = run_bulk(tokyo.database, wakeups, "default", "by-zone", str(file), chunk=150)
    assert (report.enrolled, report.rejected) == (200, 0)
    assert wakeups.counts()["waiting"] == 600
    wakeups.close()
    assert len(rows_of(tokyo)) == 600
    assert_by_zone(rows_of(tokyo))


def test_a_step_by_a_date_is_planned_for_who_has_it_and_skipped_for_others(tokyo: Any) -> None:
    tokyo.enroll("by-date", timezone="Europe/Berlin", attributes={"renewal": "2027-04-01"})
    tokyo.enroll("by-date", timezone="Europe/Berlin")
    tokyo.enroll(
        "by-date", timezone="Europe/Berlin", attributes={"renewal": "2027-04-01"}, data={"renewal": "03/04/2027"}
    )
    rows = rows_of(tokyo, "o.step_key, o.status, o.reason, o.due_at")
    assert [(key, status, reason) for key, status, reason, _ in rows] == [
        ("now", "pending", None),
        ("soon", "pending", None),
        ("then", "pending", None),
        ("now", "pending", None),
        ("soon", "skipped", "the contact has no renewal"),
        ("then", "pending", None),
        ("now", "pending", None),
        ("soon", "skipped", EITHER),
        ("then", "pending", None),
    ]
    assert [local(due_at, "Europe/Berlin") for *_, due_at in rows[:3]] == [
        "Fri 2027-03-19 19:30",
        "Mon 2027-03-29 09:00",  # a day after the clocks have changed
        "Tue 2027-03-30 09:00",
    ]
    assert local(rows[5][3], "Europe/Berlin") == "Sat 2027-03-20 19:30"


def test_an_enrollment_without_any_step_to_take_is_complete(tokyo: Any) -> None:
    (enrolled,) = tokyo.enroll("only-by-date")
    assert (enrolled.created, enrolled.wakeups) == (True, [])
    assert tokyo.statuses() == ["skipped"]
    assert tokyo.query("SELECT status FROM enrollments") == [("completed",)]
    assert not tokyo.enroll("only-by-date", email="user1@example.com", phone="+12025550001")[0].created


def test_steps_behind_a_late_one_keep_their_local_time(tokyo: Any) -> None:
    tokyo.enroll("by-zone", timezone="America/New_York")
    tokyo.execute("UPDATE outbox SET due_at = due_at - interval '1 minute' WHERE step_order = 1")
    travel(tokyo.database, datetime(2027, 3, 23, 16, tzinfo=UTC))
    (row,) = tokyo.begin(tokyo.ids("step_order = 1"))
    ending = Ending(row.id, row.fence, row.channel, RowStatus.SENT, outcome=AttemptOutcome.ACCEPTED, provider_id="x")
    with tokyo.database.transaction() as session:
        (settled,) = settle(session, [ending])
        assert isinstance(settled, Settled)
        moved = shift_behind(session, [(settled, clock.sequence_now(session).timestamp() - settled.due_at)])
    assert [row_id for _, (row_id,) in moved] == tokyo.ids("step_order > 1")
    due = [local(due_at, zone) for zone, _, due_at in rows_of(tokyo)]
    assert due[1:] == ["Wed 2027-03-24 10:30", "Fri 2027-03-26 10:30"]


def test_steps_behind_a_late_one_that_somebody_has_moved_keep_the_distance_that_they_had(tokyo: Any) -> None:
    tokyo.enroll("by-date", timezone="Europe/Berlin", attributes={"renewal": "2027-04-01"})
    (settled,) = (
        Settled(row_id, enrollment, 1, due_at.timestamp(), None, None, None)
        for row_id, enrollment, due_at in tokyo.rows("id, enrollment_id, due_at", "step_order = 1")
    )
    tokyo.execute("UPDATE outbox SET due_at = due_at + interval '5 days' WHERE step_order = 3")
    before = [due_at for (due_at,) in tokyo.rows("due_at")]
    with tokyo.database.transaction() as session:
        shift_behind(session, [(settled, 12 * 86_400.0)])
    after = [due_at for (due_at,) in tokyo.rows("due_at")]
    late = before[0] + timedelta(days=12)
    assert after[1] == late  # its date has passed by a moment, not by its limit
    assert after[2] - after[1] == before[2] - before[1]


def quiet_now(database: Database, hours: float = 2) -> None:
    """Let it be quiet, where the contacts of the test are, for so many hours from now."""
    now = datetime.now(UTC)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=hours)
    with database.transaction() as session:
        change(session, "default", quiet_hours=f"{begin:%H:%M}-{end:%H:%M}")


def test_a_row_that_is_claimed_in_quiet_hours_goes_back_and_out_when_they_are_over(site: Site) -> None:
    site.world.publish(AT_NIGHT)
    site.enroll("at-night", timezone="UTC")
    before = [due_at for (due_at,) in site.world.rows("due_at")]
    quiet_now(site.world.database)
    with site.working():
        wait_for(
            lambda: site.world.rows("status", "starts_with(reason, 'quiet hours ')") == [("pending",)],
            site.world.rows,
        )
        after = [due_at for (due_at,) in site.world.rows("due_at")]
        assert timedelta(hours=1, minutes=58) < after[0] - before[0] <= timedelta(hours=2)
        assert after[1] - after[0] == timedelta(hours=1)
        assert after[2] - after[0] >= timedelta(days=1)
        assert not site.accepted()
        site.jump(2.1 / 24)
        site.until("sent", "pending", "pending")
        assert site.accepted() == {("+12025550001", "First"): 1}
    assert site.world.rows("reason", "step_order = 1") == [(None,)]


ONE_TEXT = """
sequence: one-text
steps:
  - {key: only, type: sms, body: Hi}
"""
#: A Sunday, 10:30 in Texas and 08:30 in Washington.
SUNDAY = datetime(2027, 3, 21, 15, 30, tzinfo=UTC)
OF_TEXAS = "quiet hours of Texas: Sunday before 12:00 in America/Chicago"


def test_the_law_of_where_a_contact_may_be_plans_its_messages(world: Any, tmp_path: Path, redis_url: str) -> None:
    with world.database.transaction() as session:
        assert change(session, "default", quiet_hours="strict").quiet_hours == "20:00-09:00, strict"
    world.publish(ONE_TEXT)
    travel(world.database, SUNDAY)
    people = {
        "+15125550101": ("", "Sun 2027-03-21 12:00", "America/Chicago"),
        "+12065550101": ("Texas", "Sun 2027-03-21 12:00", "America/Los_Angeles"),
        "+12065550102": ("", "Sun 2027-03-21 09:00", "America/Los_Angeles"),
        "+12125550101": ("", "Sun 2027-03-21 11:30", "America/New_York"),
    }
    file = tmp_path / "list.csv"
    file.write_text("\n".join(["phone,state", *(f"{phone},{state}" for phone, (state, *_) in people.items())]))
    wakeups = Wakeups(redis_url)
    assert run_bulk(world.database, wakeups, "default", "one-text", str(file)).enrolled == len(people)
    wakeups.close()
    world.publish(ONE_TEXT.replace("one-text", "by-event"))
    for phone, (state, *_) in people.items():
        world.enroll("by-event", phone=phone, email=None, data={"state": state})
    rows = rows_of(world, "c.phone, o.due_at")
    assert len(rows) == 2 * len(people)
    for phone, due_at in rows:
        _, expected, zone = people[phone]
        assert local(due_at, zone) == expected, phone


def test_the_law_holds_when_a_row_is_claimed(site: Site) -> None:
    travel(site.world.database, SUNDAY)
    site.world.publish(ONE_TEXT)
    site.world.enroll("one-text", phone="+15125550101", timezone="America/Chicago")
    site.world.enroll("one-text", phone="+12065550101", timezone="America/Chicago", attributes={"state": "tx"})
    site.world.enroll("one-text", phone="+12065550102", timezone="America/Chicago")
    with site.world.database.transaction() as session:
        change(session, "default", quiet_hours="off, strict")
    with site.working():
        wait_for(lambda: len(site.accepted()) == 1, site.world.rows)
        wait_for(lambda: site.world.rows("reason", "status = 'pending'") == [(OF_TEXAS,), (OF_TEXAS,)], site.world.rows)
        assert {local(due_at, "America/Chicago") for (due_at,) in site.world.rows("due_at", "status = 'pending'")} == {
            "Sun 2027-03-21 12:00"
        }
        site.jump(1.6 / 24)
        site.until("sent", "sent", "sent")


def late_sequence(policy: str) -> str:
    """A sequence whose step may be a minute late, and what becomes of it then."""
    return f"""
sequence: late
steps:
  - {{key: only, type: email, subject: Late, text: Hello, max_lateness: 1 minute, if_late: {policy}}}
  - {{key: behind, type: email, delay: 1 hour, subject: Behind, text: Hello}}
"""


@pytest.mark.parametrize("policy", ["send", "skip", "shift"])
def test_what_is_too_late_is_sent_or_skipped_or_shifted(site: Site, policy: str) -> None:
    site.world.publish(late_sequence(policy))
    site.enroll("late")
    site.world.execute("UPDATE outbox SET due_at = due_at - interval '2 hours'")
    (due_at, behind) = (moment for (moment,) in site.world.rows("due_at"))
    with site.working():
        match policy:
            case "send":
                site.until("sent", "pending")
            case "skip":
                site.until("skipped", "pending")
                assert site.world.rows("reason", "step_order = 1") == [("too_late",)]
            case _:
                wait_for(
                    lambda: site.world.rows("status", "starts_with(reason, 'too late')") == [("pending",)],
                    "it is shifted",
                )
                later, then = (moment for (moment,) in site.world.rows("due_at"))
                assert later.replace(second=0, microsecond=0) == later
                assert timedelta(hours=23, minutes=58) < later - due_at <= timedelta(days=1)
                assert then - later == behind - due_at
    assert len(site.accepted()) == (policy == "send")


def test_a_date_that_was_put_off_holds_the_step_back(site: Site) -> None:
    site.world.publish(ONLY_BY_DATE)
    today = datetime.now(UTC).date()
    site.enroll("only-by-date", timezone="UTC", attributes={"renewal": str(today + timedelta(days=5))})
    site.world.execute("UPDATE outbox SET due_at = sequence_now()")
    with site.working():
        wait_for(
            lambda: site.world.rows("status", "starts_with(reason, '3 days before renewal')") == [("pending",)],
            "it waits",
        )
        ((due_at,),) = site.world.rows("due_at")
        assert due_at == datetime.combine(today + timedelta(days=2), datetime.min.time(), UTC) + timedelta(hours=9)
        site.world.execute("UPDATE contacts SET attributes = '{}'")
        site.jump(3)
        site.until("skipped")
    assert site.world.rows("reason") == [("the contact has no renewal",)]
    assert not site.accepted()
