"""A migration against workers that claim the same rows: nothing is begun by a version that its enrollment has left."""

import json
import random
import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest
from stage import FULL
from stage_site import GENEROUS, wait_for
from world import World

from engine.database import Database
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.wakeups import Wakeups
from producers.enroll_event import EnrollEvent, write
from producers.migrating import plan_migration, run_migration
from producers.operator import Operator

WORKERS = 8
ROUNDS = 1_000 if FULL else 40

#: Real seconds for all of them; 0: as long as they take.
TIMEOUT = 0 if FULL else 180

#: Enrolled together in each round.
PEOPLE = 3

VERSION = "sequence: race\nreentry: always\nsteps: [{key: only, type: sms, body: NUMBER}]"

#: What was begun takes no part any more.
OVER = """
WITH over AS (
    UPDATE outbox SET status = 'sent', lease_until = NULL, sent_at = due_at WHERE status = 'sending'
    RETURNING enrollment_id
)
UPDATE enrollments SET status = 'completed', completed_at = sequence_now() WHERE id IN (SELECT enrollment_id FROM over)
"""

#: Both versions have the step at the same place and time, so that nothing else bars an old claim.
WRONG = """
SELECT e.id, e.version_id, a.payload FROM attempts a JOIN outbox o ON o.id = a.outbox_id
JOIN enrollments e ON e.id = o.enrollment_id WHERE (a.payload ->> 'version')::bigint <> e.version_id
"""


WAITS = "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

#: Somebody looks who claims, to wait for them.
LOOKS = """
SELECT true FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND position('pg_locks' IN query) > 0
    AND pid <> pg_backend_pid()
"""

#: Whoever says so waits at the sequence clock for as long as somebody holds the key 1: behind the snapshot of its
#: statement, before that locks a row.
STOPPED_CLOCK = """
ALTER FUNCTION sequence_now() RENAME TO running_clock;
CREATE FUNCTION sequence_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_setting('racing.waits', true) = 'yes' THEN
        PERFORM pg_advisory_xact_lock_shared(1);
    END IF;
    RETURN running_clock();
END $$
"""


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


class Worker(Thread):
    """Claims whatever is pending, again and again, and begins it with the version that it was told of."""

    def __init__(self, url: str, stop: Event) -> None:
        super().__init__(daemon=True)
        self._database = Database(url, name="racing", size=1)
        self._stop_now = stop
        self.begun = 0
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop_now.is_set():
                self._claim()
        except BaseException as error:  # noqa: BLE001 (told by the test)
            self.failed = error
        finally:
            self._database.close()

    def _claim(self) -> None:
        with self._database.transaction() as session:
            ids = [row_id for (row_id,) in session.execute("SELECT id FROM outbox WHERE status = 'pending'")]
            rows = claim(session, ids)
            if rows and random.random() < 0.1:  # noqa: S311 (others are given up, as when a worker finds no room)
                time.sleep(random.random() * 0.002)  # noqa: S311 (spreads the moments)
                begin(
                    session,
                    [
                        Attempt(row.id, row.fence, row.recipient, json.dumps({"version": row.version_id}), 0.0)
                        for row in rows
                    ],
                    60,
                )
                self.begun += len(rows)


def test_a_claim_that_has_looked_before_the_move_gets_nothing_after_it(world: World, wakeups: Wakeups) -> None:
    """It has read which version the enrollment is of, and comes to lock the row when that is another."""
    world.publish(VERSION.replace("NUMBER", "one"))
    world.enroll("race")
    world.publish(VERSION.replace("NUMBER", "two"))
    world.execute(STOPPED_CLOCK)
    target = plan_migration(world.database, "default", "race").target
    claimed: list[Claimed] = []

    def look_and_claim() -> None:
        with racing.transaction() as session:
            session.execute("SET LOCAL racing.waits = 'yes'")
            claimed.extend(claim(session, world.ids()))

    racing = Database(world.database.url, name="racing", size=1)
    claimer = Thread(target=look_and_claim)
    mover = Thread(target=run_migration, args=(world.database, wakeups, Operator("default", "ann"), target))
    with world.database.transaction() as session:
        session.execute("SELECT pg_advisory_xact_lock(1)")
        claimer.start()
        wait_for(lambda: world.query(WAITS) == [(1,)], "the claim waits")
        mover.start()
        wait_for(lambda: not mover.is_alive() or world.query(LOOKS), "it is moved, or the claim waited for")
    claimer.join(GENEROUS)
    mover.join(GENEROUS)
    racing.close()
    assert claimed == []
    ((newest,),) = world.query("SELECT max(id) FROM sequence_versions")
    assert world.query("SELECT version_id FROM enrollments") == [(newest,)]
    assert [row.version_id for row in world.claim(world.ids())] == [newest]


@pytest.mark.timeout(TIMEOUT)
def test_nothing_is_begun_by_a_version_that_was_left(world: World, wakeups: Wakeups) -> None:
    world.publish(VERSION.replace("NUMBER", "one"))
    ((old,),) = world.query("SELECT max(id) FROM sequence_versions")
    world.publish(VERSION.replace("NUMBER", "two"))
    stop = Event()
    workers = [Worker(world.database.url, stop) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    moved, enrolled = 0, 0
    target = plan_migration(world.database, "default", "race").target
    try:
        for _ in range(ROUNDS):
            with world.database.transaction() as session:
                for _ in range(PEOPLE):
                    enrolled += 1
                    made = write(session, EnrollEvent("race", phone=f"+1202{5550000 + enrolled}"))
                    session.execute("UPDATE enrollments SET version_id = %s WHERE id = %s", (old, made.enrollment_id))
            world.execute(OVER)
            moved += run_migration(world.database, wakeups, Operator("default", "ann"), target).moved
    finally:
        stop.set()
        for worker in workers:
            worker.join(GENEROUS)
    assert [worker.failed for worker in workers if worker.failed] == []
    assert world.query(WRONG) == []
    assert moved > 0
    assert sum(worker.begun for worker in workers) > 0
    assert world.query("SELECT count(*)::int FROM enrollments WHERE migrated_at IS NOT NULL") == [(moved,)]
    assert world.query("SELECT count(*)::int FROM outbox") == [(enrolled,)]
