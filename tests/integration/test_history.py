"""The history: only appended to, whole months at a time, and written where nothing else tells what happened."""

from typing import Any

import psycopg
import pytest
from world import World

from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.dispatch import hold_what_is_due
from engine.outbox.history import Change, make_months, note, story
from engine.outbox.resolve import Resolution, resolve
from engine.outbox.settle import Ending, settle
from engine.outbox.sweep import end_leases
from schema.states import RowStatus

PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'history'::regclass ORDER BY 1
"""


def noted(world: World) -> list[tuple[Any, ...]]:
    return world.query("SELECT made_by, was, became, reason FROM history ORDER BY at")


def write(world: World, at: str = "now()") -> None:
    world.execute(
        f"INSERT INTO history (at, sequence_at, workspace_id, enrollment_id, made_by, became)"
        f" VALUES ({at}, now(), 1, 1, 'ann', 'paused')"
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE history SET made_by = 'bob'",
        "DELETE FROM history",
        "TRUNCATE history",
        "DELETE FROM history_months.other",
        "TRUNCATE history_months.other",
        "DO $$ BEGIN EXECUTE format('DELETE FROM history_months.%%I', to_char(now(), '\"m\"YYYY_MM')); END $$",
        "DO $$ BEGIN EXECUTE format('TRUNCATE history_months.%%I', to_char(now(), '\"m\"YYYY_MM')); END $$",
    ],
)
def test_it_is_only_appended_to(world: World, change: str) -> None:
    write(world)
    write(world, at="'2020-01-01'")
    with pytest.raises(psycopg.errors.RaiseException, match="history is only appended to"):
        world.execute(change)
    assert len(noted(world)) == 2


def test_this_month_and_three_more_are_there_and_what_comes_elsewhere_is_kept_too(world: World) -> None:
    parts = [name for (name,) in world.query(PARTS)]
    assert len(parts) == 5
    assert "other" in parts
    write(world)
    write(world, at="now() + interval '3 months'")
    assert world.query("SELECT count(*) FROM history_months.other") == [(0,)]
    write(world, at="now() + interval '4 months'")
    assert world.query("SELECT count(*) FROM history_months.other") == [(1,)]
    with world.database.transaction() as session:
        make_months(session)
        assert session.execute("SELECT make_history_months(5)").fetchone() == (1,)  # not over what is in `other`
    assert len(noted(world)) == 3


def test_nobody_waits_for_somebody_else_who_makes_them(world: World) -> None:
    """The leader sweeps and beats in the same thread."""
    apart = Database(world.database.url, name="making")
    with apart.transaction() as session:
        make_months(session)
        with world.database.transaction() as other:
            other.execute("SET lock_timeout = '30s'")
            make_months(other)
    apart.close()


def test_nobody_waits_for_a_backup_that_reads_them(world: World) -> None:
    world.execute(
        "DO $$ BEGIN EXECUTE (SELECT 'DROP TABLE history_months.' || max(relname) FROM pg_class"
        " WHERE relnamespace = 'history_months'::regnamespace AND relkind = 'r' AND relname LIKE 'm2%%'); END $$"
    )
    apart = Database(world.database.url, name="backing up")
    with apart.transaction() as session:
        session.execute("SELECT FROM history")
        with world.database.transaction() as other:
            assert not make_months(other)
    with apart.transaction() as session:
        assert make_months(session)
    apart.close()
    assert len(world.query(PARTS)) == 5


def test_an_old_month_can_be_dropped_and_is_made_anew(world: World) -> None:
    write(world, at="now() + interval '1 month'")
    ((part,),) = world.query("SELECT to_char(date_trunc('month', now()) + interval '1 month', '\"m\"YYYY_MM')")
    world.execute(f"DROP TABLE history_months.{part}")
    assert noted(world) == []
    with world.database.transaction() as session:
        make_months(session)
    assert len(world.query(PARTS)) == 5


def test_what_ends_without_an_attempt_is_noted_and_what_has_one_is_not(world: World) -> None:
    world.enroll(count=2)
    claimed, begun = world.claim(world.ids("enrollment_id = 1")) + world.begin(world.ids("enrollment_id = 2"))
    endings = [
        Ending(claimed.id, claimed.fence, "sms", RowStatus.SKIPPED, "suppressed: stop"),
        Ending(begun.id, begun.fence, "sms", RowStatus.FAILED, "no such number", outcome="refused"),
    ]
    with world.database.transaction() as session:
        settle(session, endings)
        settle(session, endings)
    assert noted(world) == [("worker", "sending", "skipped", "suppressed: stop")]


def test_who_resolves_sweeps_and_holds_is_noted(world: World) -> None:
    world.enroll(count=3)
    first, second, third = world.ids("step_order = 1")
    world.begin([first], lease=-1)
    world.claim([second], lease=-1)
    with world.database.transaction() as session:
        end_leases(session)
        resolve(session, SequenceClock(world.database), [Resolution(first, 2, RowStatus.PENDING, "no such message")])
        hold_what_is_due(session)
    assert {one[:3] for one in noted(world)} == {
        ("sweeper", "sending", "unknown"),
        ("sweeper", "sending", "pending"),
        ("engine", "unknown", "pending"),
        ("leader", "pending", "review"),
    }
    with world.database.transaction() as session:
        assert [told.became for told in story(session, 3)] == ["active", "review"]
    assert world.rows("status", f"id = {third}") == [("review",)]


def test_a_note_is_as_true_as_the_transaction_that_writes_it(world: World) -> None:
    world.enroll()
    with pytest.raises(ZeroDivisionError), world.database.transaction() as session:
        note(session, 1, "ann", [Change(1, "active", "paused")])
        raise ZeroDivisionError
    assert noted(world) == []
