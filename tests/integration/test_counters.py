"""Counters are exact after whatever happens, in every snapshot, and after a repair."""

from collections.abc import Iterator
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from counting import differences
from everyday import TEXTS, Everyday
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage_site import wait_for
from world import World

from engine.database import Database
from engine.outbox.counters import LOCKS_FOR_RECOUNT, fold, recount
from engine.outbox.counts import by_sequence, enrollments_by_source, rows_by_status, sent_in_the_last_minute
from engine.wakeups import Wakeups

ACTS = sorted(name for name in vars(Everyday) if not name.startswith("_") and name not in ("acts", "do"))

#: Acts that others build on come more often.
HISTORIES = st.lists(
    st.one_of(
        st.sampled_from(("enroll", "deliver", "enroll_a_file", "pass_a_day", "open_tasks", "fold")),
        st.sampled_from((*ACTS, "fold", "recount", "truncate", "delete")),
    ),
    min_size=5,
    max_size=30,
)

TRUNCATE = "TRUNCATE outbox, enrollments, enroll_events, attempt_records, tasks"
DELETE = "DELETE FROM enroll_events; DELETE FROM outbox; DELETE FROM enrollments"


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


@pytest.fixture
def working(database: Database) -> World:
    world = World(database)
    for text in TEXTS.values():
        world.publish(text.format(edition=0))
    return world


def wrong(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as session:
        return differences(session)


@pytest.mark.timeout(0)
def test_the_counters_are_exact_after_whatever_happens(working: World, wakeups: Wakeups) -> None:
    database = working.database

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(history=HISTORIES, seed=st.integers(0, 1_000))
    def tell(history: list[str], seed: int) -> None:
        everyday = Everyday(working, wakeups, Random(seed))  # noqa: S311 (not for secrets)
        for act in history:
            match act:
                case "fold":
                    fold(database)
                case "recount":
                    assert recount(database) == 0
                case "truncate" | "delete":
                    working.execute(TRUNCATE if act == "truncate" else DELETE)
                    recount(database)  # when somebody was last enrolled is remembered until then
                case _:
                    everyday.do(act)
            assert wrong(database) == [], act

    tell()


def test_every_act_of_a_day_is_taken_somehow(working: World, wakeups: Wakeups) -> None:
    """Otherwise the histories would prove little."""
    everyday = Everyday(working, wakeups, Random(7))  # noqa: S311 (not for secrets)
    left = set(everyday.acts())
    for _ in range(40):
        for act in ("enroll", "deliver", "pass_a_day", "open_tasks", *sorted(left)):
            if everyday.do(act):
                left.discard(act)
        if not left:
            break
    assert not left
    statuses = {status for (status,) in working.query("SELECT DISTINCT status FROM outbox")}
    assert statuses >= {"pending", "sent", "skipped", "cancelled", "waiting"}


@pytest.mark.timeout(0)
def test_the_counters_are_exact_in_every_snapshot_while_others_write(
    working: World, wakeups: Wakeups, database: Database
) -> None:
    """Folded and recounted meanwhile: a snapshot has both a change and its delta, or neither."""
    others = Database(database.url, size=8)
    world = World(others)
    stop = Event()
    failed: list[BaseException] = []
    done = [0] * 5

    def repeat(number: int, act: Any) -> None:
        try:
            while not stop.is_set():
                act()
                done[number] += 1
        except BaseException as error:
            failed.append(error)
            raise

    def writer(seed: int) -> Any:
        everyday = Everyday(world, wakeups, Random(seed))  # noqa: S311 (not for secrets)
        acts = sorted(set(everyday.acts()) - {"pass_a_day", "publish", "migrate"})
        return lambda: everyday.do(everyday.random.choice(("enroll", "deliver", "enroll_a_file", *acts)))

    turns = [writer(1), writer(2), writer(3), lambda: fold(others), lambda: recount(others)]
    threads = [Thread(target=repeat, args=(number, act)) for number, act in enumerate(turns)]
    for thread in threads:
        thread.start()
    try:
        looks = 0

        def enough() -> bool:
            nonlocal looks
            assert wrong(database) == []
            looks += 1
            return bool(failed) or (min(done) >= 20 and looks >= 50)

        wait_for(enough, lambda: done)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert wrong(database) == []
    assert recount(database) == 0
    others.close()


def test_a_recount_corrects_what_is_wrong(working: World) -> None:
    working.enroll("calls", count=3)
    fold(working.database)
    working.execute("UPDATE counters SET amount = amount + 7 WHERE kind = 'outbox' AND value = 'pending'")
    working.execute("DELETE FROM counters WHERE kind = 'enrolled'")
    working.execute("INSERT INTO counters VALUES (1, 999, 'enrollments', 'active', 5)")
    assert len(wrong(working.database)) == 3
    assert recount(working.database) == 3
    assert wrong(working.database) == []
    assert recount(working.database) == 0


def test_a_recount_leaves_what_is_not_committed_to_its_own_delta(working: World) -> None:
    working.enroll("calls")
    with working.database.connect() as other:
        other.execute("BEGIN")
        other.execute("UPDATE outbox SET status = 'open' WHERE step_key = 'ring'")
        working.execute("UPDATE counters SET amount = 0")
        recount(working.database)
        assert wrong(working.database) == []
        other.execute("COMMIT")
    assert wrong(working.database) == []
    with working.database.transaction() as session:
        (counts,) = by_sequence(session, 1).values()
    assert counts.tasks_open == 1


def test_nobody_folds_while_somebody_recounts(working: World) -> None:
    """Nor does the leader wait for them: its heartbeat would."""
    working.enroll("calls")
    with working.database.connect() as other:
        other.execute("BEGIN")
        for lock in LOCKS_FOR_RECOUNT:
            other.execute(lock)
        assert fold(working.database) is None
    assert fold(working.database)
    assert fold(working.database) == 0


def test_two_folds_at_once_add_no_delta_twice(working: World) -> None:
    working.enroll("calls", count=5)
    with working.database.connect() as first, working.database.connect() as second:
        first.execute("BEGIN")
        first.execute("SELECT fold_counters()")
        waiting = Thread(target=second.execute, args=("SELECT fold_counters()",))
        waiting.start()
        blocked = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        wait_for(lambda: working.query(blocked, second.info.backend_pid) != [], "the second waits for the first")
        first.execute("COMMIT")
        waiting.join()
    assert wrong(working.database) == []


def test_a_rollback_leaves_no_delta(working: World) -> None:
    working.enroll("calls")
    with working.database.connect() as other:
        other.execute("BEGIN")
        other.execute("UPDATE outbox SET status = 'cancelled'")
        other.execute("ROLLBACK")
    assert wrong(working.database) == []


def test_truncated_tables_count_nothing(working: World) -> None:
    working.enroll("calls", count=2)
    fold(working.database)
    working.enroll("follow-up")
    working.execute(TRUNCATE)
    assert wrong(working.database) == []
    with working.database.transaction() as session:
        assert set(rows_by_status(session).values()) == {0}
        assert set(enrollments_by_source(session).values()) == {0}
        assert by_sequence(session, 1) == {}


def test_what_changes_no_status_writes_no_delta(working: World) -> None:
    """A delivery report, a postponement."""
    working.enroll("calls")
    fold(working.database)
    working.execute("UPDATE outbox SET delivery_status = 'delivered', due_at = due_at + interval '1 hour'")
    working.execute("UPDATE enrollments SET modified_at = now()")
    assert working.query("SELECT count(*) FROM counter_deltas") == [(0,)]


def test_sent_in_the_last_minute(working: World, wakeups: Wakeups) -> None:
    working.enroll("calls", count=3)
    working.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    working.execute("UPDATE outbox SET status = 'sent', sent_at = now() WHERE step_order = 1")

    def lately(workspace: int | None = None) -> int:
        with working.database.transaction() as session:
            return sent_in_the_last_minute(session, workspace)

    assert (lately(), lately(1), lately(2)) == (3, 3, 0)
    fold(working.database)
    assert (lately(), lately(1), lately(2)) == (3, 3, 0)
    working.execute("UPDATE sent_seconds SET second = second - interval '1 minute'")
    assert lately() == 0
    working.execute("UPDATE sent_seconds SET second = second - interval '1 minute'")
    fold(working.database)
    assert working.query("SELECT count(*) FROM sent_seconds") == [(0,)]
