"""What the demo stands on: a workspace of its own in a database that nobody else works with, and the moved clock."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg.sql import SQL, Identifier

from engine import clock
from engine.database import Database, Session
from engine.errors import Unavailable
from producers.workspaces import add

#: The advisory lock of the demo that runs on a database.
DEMO_LOCK: Final = 4_207_004

#: What the workspaces of demos are called.
PREFIX: Final = "cadenza-demo-"

WAITING: Final = """
SELECT count(*) FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
WHERE e.status IN ('active', 'paused') AND o.status IN ('waiting', 'pending', 'sending', 'open', 'unknown')
"""

WORKERS: Final = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cadenza worker' AND datname = current_database()
"""

#: All that belongs to a workspace, what refers to others first.
BELONGINGS: Final = (
    "attempt_records",
    "outbox",
    "enroll_events",
    "enrollments",
    "batches",
    "suppressions",
    "contacts",
    "sequence_versions",
    "sequences",
)
REMOVE: Final = SQL("DELETE FROM {} t USING workspaces w WHERE w.id = t.workspace_id AND starts_with(w.key, %s)")


@dataclass(frozen=True, slots=True)
class Ground:
    """The workspace of this run."""

    workspace_id: int
    workspace: str


@contextmanager
def own_ground(database: Database, *, keep: bool) -> Iterator[Ground]:
    """Make a workspace, and let the sequence clock be moved until the end; then all is as it was.

    `keep` leaves the workspace, to be looked at: only where it is alone.

    Raises:
        Unavailable: others work with this database, whose messages would go out too soon.
    """
    with ExitStack() as stack:
        session = stack.enter_context(database.connect())
        if not _one(session, "SELECT pg_try_advisory_lock(%s)", DEMO_LOCK):
            raise Unavailable("another demo runs on this database: wait until it has ended")
        _remove(database)
        _refuse_company(session)
        if not keep:
            stack.callback(_remove, database)
        stack.callback(_reset_clock, database)
        with database.transaction() as transaction:
            made = add(
                transaction,
                f"{PREFIX}{secrets.token_hex(4)}",
                name="Cadenza demo",
                quiet_hours="off",  # to the sandbox, at whatever time of day it is run
            )
            clock.reset(transaction)
        yield Ground(made.id, made.key)


def _refuse_company(session: Session) -> None:
    if waiting := _one(session, WAITING):
        raise Unavailable(
            f"{waiting:,} steps of others wait in this database, and the demo moves the sequence clock for all:"
            " give it a database of its own with CADENZA_DATABASE_URL"
        )
    if _one(session, WORKERS):
        raise Unavailable("workers run on this database and would take the demo's messages: stop them first")


def _remove(database: Database) -> None:
    """Remove the workspaces of demos, so that nothing of theirs is ever sent in earnest."""
    with database.transaction() as session:
        for table in BELONGINGS:
            session.execute(REMOVE.format(Identifier(table)), (PREFIX,))
        session.execute("DELETE FROM workspaces WHERE starts_with(key, %s)", (PREFIX,))


def _reset_clock(database: Database) -> None:
    with database.transaction() as session:
        clock.reset(session)


def _one(session: Session, query: str, *values: object) -> int:
    row = session.execute(query.encode(), values).fetchone()
    assert row is not None  # noqa: S101 (each of them gives one row)
    return int(row[0])
