"""What the sweeper finds: leases that ended, and rows that are due and not moving."""

import time
from datetime import timedelta
from threading import Event, Timer
from typing import Any

import pytest

from engine.clock import SequenceClock, sequence_now
from engine.outbox.counts import OLDEST_DUE
from engine.outbox.sweep import BEGINNING, DueRow, Place, due_page, end_leases
from engine.wakeups import Wakeups
from workers.sweeper import Sweeper


def page(world: Any, after: Place = BEGINNING, horizon: float = 30, limit: int = 100) -> list[DueRow]:
    """A page of rows that are due or soon will be."""
    with world.database.transaction() as session:
        return due_page(session, 1, after, sequence_now(session) + timedelta(seconds=horizon), limit)


def test_a_row_that_was_not_handed_over_goes_back(world: Any) -> None:
    world.enroll()
    (row,) = world.claim(world.ids(), lease=0.001)
    world.execute("SELECT pg_sleep(0.01)")
    with world.database.transaction() as session:
        ended = end_leases(session)
    assert [ids for _, ids in ended.returned] == [[row.id]]
    assert ended.in_doubt == 0
    assert world.statuses()[0] == "pending"


def test_a_row_whose_hand_over_had_begun_is_in_doubt(world: Any) -> None:
    world.enroll()
    world.begin(world.ids(), lease=0.5)
    world.execute("SELECT pg_sleep(0.6)")
    with world.database.transaction() as session:
        ended = end_leases(session)
    assert (ended.returned, ended.in_doubt) == ([], 1)
    assert world.statuses()[0] == "unknown"
    assert world.query("SELECT outcome FROM attempts") == [("unanswered",)]


def test_an_earlier_attempt_puts_no_later_claim_in_doubt(world: Any) -> None:
    world.enroll()
    (row,) = world.begin(world.ids())
    world.execute("UPDATE attempt_records SET outcome = 'held', ended_at = now()")
    world.execute("UPDATE outbox SET status = 'pending', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    world.claim([row.id], lease=0.001)
    world.execute("SELECT pg_sleep(0.01)")
    with world.database.transaction() as session:
        assert end_leases(session).in_doubt == 0


def test_a_lease_that_holds_is_left_alone(world: Any) -> None:
    world.enroll()
    world.claim(world.ids())
    with world.database.transaction() as session:
        ended = end_leases(session)
    assert (ended.returned, ended.in_doubt) == ([], 0)


def test_all_leases_that_are_over_end_in_one_sweep(world: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many workers were lost together."""
    monkeypatch.setattr("workers.sweeper.PAGE", 2)
    world.enroll(count=5)
    assert len(world.claim(world.ids(), lease=0.001)) == 5
    world.execute("SELECT pg_sleep(0.01)")
    Sweeper(world.database, Wakeups(redis_url), SequenceClock(world.database), sweep_seconds=1).sweep()
    assert world.rows("status", "step_order = 1") == [("pending",)] * 5


def test_due_rows_are_found_page_by_page(world: Any) -> None:
    world.enroll(count=7)
    found: list[int] = []
    last = BEGINNING
    while rows := page(world, last, limit=3):
        found.extend(row.id for row in rows)
        last = rows[-1].place
    assert found == world.ids("step_order = 1")


def test_rows_of_one_moment_are_all_found(world: Any) -> None:
    world.enroll(count=5)
    world.execute("UPDATE outbox SET due_at = '2026-01-02 03:04:05.678901+00' WHERE step_order = 1")
    first = page(world, limit=2)
    second = page(world, first[-1].place, limit=10)
    assert [row.id for row in [*first, *second]] == world.ids("step_order = 1")


def test_rows_that_may_not_go_are_told(world: Any) -> None:
    world.enroll(count=3)
    enrollments = [enrollment for (enrollment,) in world.query("SELECT id FROM enrollments ORDER BY id")]
    world.execute("UPDATE enrollments SET status = 'paused', paused_at = now() WHERE id = %s", enrollments[0])
    world.execute("UPDATE outbox SET due_at = now()")
    world.execute("UPDATE outbox SET status = 'unknown' WHERE step_order = 1 AND enrollment_id = %s", enrollments[1])
    assert [row.id for row in page(world) if row.may_go] == world.ids(
        f"step_order = 1 AND enrollment_id = {enrollments[2]}"
    )


def test_what_falls_due_before_the_horizon_is_found_too(world: Any) -> None:
    world.enroll()
    assert len(page(world, horizon=60)) == 1
    assert [row.may_go for row in page(world, horizon=86_400 + 60)] == [True, False]  # the second waits for the first
    world.execute("UPDATE outbox SET due_at = now() + interval '45 s' WHERE step_order = 1")
    assert page(world, horizon=30) == []
    assert len(page(world, horizon=60)) == 1


def test_a_workspace_with_many_rows_does_not_keep_the_others_waiting(world: Any, redis_url: str) -> None:
    world.execute("INSERT INTO workspaces (key, name) VALUES ('small', 'Small')")
    ((small,),) = world.query("SELECT id FROM workspaces WHERE key = 'small'")
    world.publish(workspace_id=small)
    world.enroll(count=4)
    world.enroll(workspace="small")
    wakeups = Wakeups(redis_url)
    sweeper = Sweeper(world.database, wakeups, SequenceClock(world.database), sweep_seconds=1)
    assert sweeper.sweep().woken == 5
    assert wakeups.counts()["waiting"] == 5


def test_nobody_leads_while_the_clocks_differ(world: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the database says of leases can't be trusted then, and nothing is to keep dispatch open."""
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3_600)
    world.enroll()
    world.claim(world.ids(), lease=0.001)
    wakeups = Wakeups(redis_url)
    stop = Event()
    later = Timer(10, stop.set)  # a leader goes on until it is stopped
    later.start()
    assert Sweeper(world.database, wakeups, SequenceClock(world.database), 0.1).turn(stop) > 0
    later.cancel()
    assert world.statuses()[0] == "sending"
    assert world.query("SELECT beat FROM dispatch") == [(0,)]
    wakeups.close()


def test_rows_that_are_not_due_are_not_read(world: Any) -> None:
    """However many wait: the moment is a bound of the index scan, not asked of each row."""
    world.enroll(count=20)
    with world.database.transaction() as session:
        session.execute("SET LOCAL enable_seqscan = off")
        session.execute("SET LOCAL enable_bitmapscan = off")
        rows = session.execute("EXPLAIN " + OLDEST_DUE, {"workspace": 1}).fetchall()
    (bound,) = [line.strip() for (line,) in rows if line.strip().startswith("Index Cond") and "due_at <=" in line]
    assert "InitPlan" in bound or "$" in bound
