"""Stale enrollments: found, and ended where somebody says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from engine.database import Database
from engine.errors import InvalidInput
from engine.outbox import stale
from engine.outbox.leave_many import CHUNK
from engine.outbox.stale import Stale
from producers.operator import Operator
from producers.sequences import find_sequence
from producers.workspaces import find_workspace


@dataclass(frozen=True, slots=True)
class Found:
    """What is stale."""

    workspace_id: int
    idle: timedelta
    enrollments: list[Stale]


def find_stale(database: Database, workspace: str, idle: timedelta, sequence: str | None = None) -> Found:
    """Find active enrollments that wait for a person and in which nothing has happened for so long, in sequence time.

    Raises:
        InvalidInput: it is no time.
        NotFound: there is no such sequence.
    """
    if idle <= timedelta():
        raise InvalidInput("--days: expected more than 0")
    with database.transaction() as session:
        session.execute("SET TRANSACTION READ ONLY")
        workspace_id = find_workspace(session, workspace).id
        sequence_id = None if sequence is None else find_sequence(session, workspace_id, sequence).sequence_id
        return Found(workspace_id, idle, stale.find(session, workspace_id, idle, sequence_id=sequence_id))


def end_stale(
    database: Database, operator: Operator, found: Found, progress: Callable[[int], None] = lambda ended: None
) -> list[int]:
    """End what was found, chunk by chunk, as far as it is stale still; give the ids of what was ended."""
    ids = sorted({one.enrollment for one in found.enrollments})
    ended: list[int] = []
    for start in range(0, len(ids), CHUNK):
        ended += _end(database, operator, found, ids[start : start + CHUNK])
        progress(len(ids[start : start + CHUNK]))
    return ended


def _end(database: Database, operator: Operator, found: Found, ids: Sequence[int]) -> list[int]:
    while True:
        try:
            with database.transaction() as session:
                return stale.end(session, found.workspace_id, found.idle, ids, operator.name, operator.reason)
        except psycopg.errors.DeadlockDetected:
            continue  # with a person who has just done one of the tasks: it is looked at once more
