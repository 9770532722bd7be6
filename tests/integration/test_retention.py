"""Retention: what ended long ago goes, month by month; what anything may still need stays."""

from dataclasses import replace

import psycopg
import pytest
from old_enrollments import end, long_ago, send
from world import World

from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.cold_move import move_step
from engine.outbox.history import Change, note
from engine.outbox.history_months import count_month, old_months, remove_month
from engine.outbox.retention import ALL, START, bounds, cutoff
from producers.delivery_reports import DeliveryReport, take_report
from producers.enroll_event import EnrollEvent, write
from producers.retention import retain
from producers.tenants import find_tenant
from schema.states import RowStatus

OLD_MONTH = """
DO $$ DECLARE first timestamptz := date_trunc('month', now(), 'UTC') - interval '30 months'; BEGIN
    EXECUTE format('CREATE TABLE history_months.%%I PARTITION OF history FOR VALUES FROM (%%L) TO (%%L)',
        to_char(first AT TIME ZONE 'UTC', '"m"YYYY_MM'), first, first + interval '1 month');
END $$
"""
NOTE = """
INSERT INTO history (at, sequence_at, workspace_id, enrollment_id, made_by, became, reason)
SELECT date_trunc('month', now(), 'UTC') - interval '30 months' + interval '1 day', now(), 1, id, 'ann', 'paused', 'why'
FROM unnest(%s::bigint[]) AS id
"""
EVENT = """
INSERT INTO events (workspace_id, provider, kind, provider_id, status, outbox_id, contact_id, payload, received_at)
VALUES (1, 'twilio', %s, %s, %s, %s, %s, '{}', now() - interval '30 months')
"""


def attempted(world: World) -> list[int]:
    """The enrollments that have attempts."""
    return [
        one
        for (one,) in world.query(
            "SELECT o.enrollment_id FROM attempts a JOIN outbox o ON o.id = a.outbox_id ORDER BY 1"
        )
    ]


def test_attempts_move_when_their_enrollment_ended_long_ago(world: World) -> None:
    world.enroll(count=5)
    ended, lately, running, doubtful, new = 1, 2, 3, 4, 5
    send(world, [ended, lately, running, new])
    send(world, [doubtful], RowStatus.UNKNOWN)
    world.execute(
        "UPDATE outbox SET status = 'skipped', reason = 'by hand' WHERE enrollment_id = %s AND step_order > 1", 3
    )
    end(world, [ended, doubtful, new])
    long_ago(world, ended, lately, running, doubtful)
    end(world, [lately])

    counted = retain(world.database, 18, dry_run=True)
    assert counted.moved() == 3
    assert attempted(world) == [1, 2, 3, 4, 5]
    done = retain(world.database, 18)
    assert attempted(world) == [lately, running, doubtful, new]
    assert done.document() == counted.document()
    assert [month.attempts for month in done.archived.values()] == [1]
    assert (done.moved(), done.kept, done.months) == (3, 9, {})
    assert retain(world.database, 18).moved() == 0
    assert retain(world.database, 40).archived == {}


def test_what_is_kept_is_whole_months(world: World) -> None:
    world.enroll()
    send(world, [1])
    end(world, [1])
    long_ago(world, 1)
    ((first,),) = world.query("SELECT date_trunc('month', now(), 'UTC') - interval '30 months'")
    world.execute("UPDATE attempt_records SET started_at = %s", first)
    assert retain(world.database, 30).moved() == 0
    assert retain(world.database, 29).moved() == 3


def test_a_walk_goes_page_by_page_and_no_further_than_it_must(world: World) -> None:
    world.enroll(count=6)
    send(world, range(1, 7))
    end(world, range(1, 7))
    long_ago(world, 1, 2, 3, 4, 5)
    with world.database.transaction() as session:
        since = cutoff(session, 18)
        until = bounds(session, since.before).enrollments
        assert until == 6
        moved, after, steps, is_last = 0, START, 0, False
        while not is_last:
            step = move_step(session, since, until, after, 6, dry_run=False)
            moved += sum(rows for rows, _ in step.months.values())
            steps += 1
            after, is_last = step.after, step.is_last
        assert (moved, steps) == (15, 3)
        assert bounds(session, since.ended_before.replace(year=2000)).enrollments < until
    assert attempted(world) == [6]


def test_where_all_is_old_a_walk_goes_to_the_end(world: World) -> None:
    with world.database.transaction() as session:
        assert bounds(session, cutoff(session, 18).before) == (bounds(session, cutoff(session, 1).before))
        assert bounds(session, cutoff(session, 18).before).enrollments == ALL
    world.enroll()
    long_ago(world, 1)
    with world.database.transaction() as session:
        assert bounds(session, cutoff(session, 18).before).enrollments == ALL


def test_events_go_but_for_opt_outs_and_what_a_running_enrollment_may_ask_for(world: World) -> None:
    world.enroll(count=2)
    ended, running = 1, 2
    end(world, [ended])
    long_ago(world, ended, running)
    rows = dict(world.query("SELECT enrollment_id, min(id) FROM outbox GROUP BY 1"))
    contacts = dict(world.query("SELECT id, contact_id FROM enrollments"))
    for kind, name, status, enrollment in (
        ("status", "report", "delivered", ended),
        ("signal", "open", "opened", ended),
        ("inbound", "reply", "reply", ended),
        ("inbound", "stop", "stop", ended),
        ("inbound", "start", "start", ended),
        ("signal", "left", "unsubscribed", ended),
        ("status", "report of running", "delivered", running),
        ("signal", "open of running", "opened", running),
    ):
        row = rows[enrollment] if kind == "status" else None
        world.execute(EVENT, kind, name, status, row, None if row else contacts[enrollment])
    world.execute(EVENT, "inbound", "stranger", "reply", None, None)
    world.execute(EVENT, "inbound", "stranger's stop", "stop", None, None)

    retain(world.database, 18)
    left = {name for (name,) in world.query("SELECT provider_id FROM events")}
    assert left == {"stop", "start", "left", "report of running", "open of running", "stranger's stop"}


def months(world: World) -> list[str]:
    return [
        name
        for (name,) in world.query(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'history'::regclass AND c.relname < to_char(now(), '\"m\"YYYY_MM') ORDER BY 1"
        )
    ]


def noted(world: World) -> list[int]:
    return [one for (one,) in world.query("SELECT enrollment_id FROM history WHERE became = 'paused' ORDER BY 1")]


def test_an_old_month_of_history_goes_but_for_what_still_runs(world: World) -> None:
    world.enroll(count=2)
    end(world, [1])
    long_ago(world, 1, 2)
    world.execute(OLD_MONTH)
    (month,) = months(world)
    world.execute(NOTE, [1, 1, 2])
    with world.database.transaction() as session:
        note(session, 1, "ann", [Change(1, "active", "paused")])
    assert noted(world) == [1, 1, 1, 2]

    counted = retain(world.database, 18, dry_run=True)
    assert noted(world) == [1, 1, 1, 2]
    done = retain(world.database, 18)
    assert done.document() == counted.document()
    assert done.removed("history") == 2
    assert noted(world) == [1, 2]
    assert months(world) == [month]
    for change in (f"DELETE FROM history_months.{month}", f"TRUNCATE history_months.{month}"):
        with pytest.raises(psycopg.errors.RaiseException, match="only appended to"):
            world.execute(change)

    assert retain(world.database, 18).removed() == 0
    end(world, [2])
    long_ago(world, 2)
    assert retain(world.database, 18).removed("history") == 1
    assert (noted(world), months(world)) == ([1], [])


def test_a_month_that_somebody_reads_is_left_as_it_is(world: World) -> None:
    world.execute(OLD_MONTH)
    world.execute(NOTE, [1])
    with world.database.transaction() as session:
        since = cutoff(session, 18)
        (month,) = old_months(session, since)
        assert count_month(session, since, month).rows == 1
    apart = Database(world.database.url, name="backing up")
    with apart.transaction() as reader:
        reader.execute("SELECT FROM history")
        with world.database.transaction() as session:
            assert not remove_month(session, since, month, keep=True)
        assert noted(world) == [1]
    apart.close()
    with world.database.transaction() as session:
        assert remove_month(session, since, month, keep=False)
        assert remove_month(session, since, month, keep=False)  # somebody else has done it
    assert noted(world) == []


def test_what_was_promised_for_ever_holds_when_the_rest_is_gone(world: World) -> None:
    """The same enroll event is one enrollment, and a late callback of a message that was sent changes nothing."""
    event = EnrollEvent("follow-up", email="ada@example.com", phone="+12025550199", idempotency_key="order-7")
    with world.database.transaction() as session:
        enrolled = write(session, event)
    send(world, [enrolled.enrollment_id])
    end(world, [enrolled.enrollment_id])
    long_ago(world, enrolled.enrollment_id)
    assert retain(world.database, 18).moved() == 3

    with world.database.transaction() as session:
        assert write(session, event) == replace(enrolled, created=False, contact_id=None, wakeups=[])
        assert not write(session, replace(event, idempotency_key=None)).created
    ((row, provider_id, public_id),) = world.query(
        "SELECT o.id, o.provider_id, w.public_id FROM archived_outbox o JOIN workspaces w ON w.id = o.workspace_id"
        " WHERE o.status = 'sent'"
    )
    with world.database.transaction() as session:
        tenant = find_tenant(session, public_id)
        assert tenant is not None
        report = DeliveryReport(provider_id, "delivered", None, "+12025550199", (row, 1), {})
        assert take_report(session, SequenceClock(world.database), tenant, report) == []
    assert world.query("SELECT outbox_id, status FROM events") == [(row, "delivered")]
    assert world.query("SELECT status, delivery_status FROM archived_outbox WHERE id = %s", row) == [("sent", None)]
