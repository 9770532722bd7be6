"""The counters: folded by the leader, and repaired by an operator (docs/decisions/0027-counters-that-are-kept.md)."""

from typing import Final

import psycopg

from engine.database import Database

#: A recount holds this lock for as long as it counts.
LOCK_FOR_FOLD: Final = "LOCK TABLE counters IN ROW EXCLUSIVE MODE NOWAIT"

#: The locks come before the snapshot: every fold and every TRUNCATE has ended then, and none begins.
SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
LOCKS_FOR_RECOUNT: Final = (
    "LOCK TABLE outbox, enrollments IN ACCESS SHARE MODE",
    "LOCK TABLE counters IN EXCLUSIVE MODE",
)


def fold(database: Database) -> int | None:
    """Add the deltas to the counters and delete them; return their number, or None while somebody recounts."""
    try:
        with database.transaction() as session:
            session.execute(LOCK_FOR_FOLD)
            row = session.execute("SELECT fold_counters()").fetchone()
    except psycopg.errors.LockNotAvailable:
        return None
    return int(row[0]) if row else 0


def recount(database: Database) -> int:
    """Count everything once and correct the counters; return how many were wrong. Writers don't wait.

    The snapshot has either both a change of a row and its delta, or neither: both are of one transaction. So the rows
    that it shows, plus the deltas that it does not show, are the count.
    """
    with database.transaction() as session:
        session.execute(SNAPSHOT)
        session.execute("SET LOCAL statement_timeout = 0")
        for lock in LOCKS_FOR_RECOUNT:
            session.execute(lock)
        row = session.execute("SELECT recount()").fetchone()
    return int(row[0]) if row else 0
