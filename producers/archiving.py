"""Archive a sequence, and bring it back. From the moment it is archived nothing of it is begun, whatever is queued."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg

from engine.database import Database, Session
from engine.errors import InvalidInput
from engine.outbox import archive as archived
from engine.outbox.archive import Running
from engine.outbox.barrier import wait_for_claims, wait_for_writers
from engine.outbox.history import note_scope
from engine.outbox.hold import one_by_one
from producers.operator import Operator
from producers.sequences import PublishedSequence, find_sequence
from producers.workspaces import find_workspace
from schema.counted import counted

#: Real seconds to wait for who may still be enrolling when all that was to be seen has been ended.
PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Archived:
    """What became of it."""

    changed: bool
    """False: it was archived already."""
    enrollments: int
    """Those that ran, and were ended by this run."""
    under_way: int
    """Their steps that had been begun by then, and can't be called back."""
    finished: bool
    """False: somebody may still be enrolling, and what they enroll is held; the next run ends it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it."""

    changed: bool
    """False: it was not archived."""
    status: str


def what_runs(database: Database, workspace: str, key: str) -> Running:
    """Tell what archiving the sequence would end.

    Raises:
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        session.execute("SET TRANSACTION READ ONLY")
        return archived.running(session, _find(session, workspace, key)[1].sequence_id)


def archive(
    database: Database,
    operator: Operator,
    key: str,
    *,
    progress: Callable[[int], None] = lambda ended: None,
    patience: float = PATIENCE,
) -> Archived:
    """Archive a sequence: at once nothing more of it is begun; then what runs is ended, chunk by chunk.

    A run that was stopped goes on when it is run again.

    Raises:
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        workspace_id, found = _find(session, operator.workspace, key)
        one_by_one(session, workspace_id)
        changed = archived.archive(session, workspace_id, found.sequence_id, operator.name)
        if changed:
            note_scope(session, workspace_id, found.sequence_id, operator.name, "archived", operator.reason)
    wait_for_claims(database)
    enrollments, under_way = _end_all(database, workspace_id, found.sequence_id, operator.name, progress)
    finished = wait_for_writers(database, patience)
    late, late_under_way = _end_all(database, workspace_id, found.sequence_id, operator.name, progress)
    if finished:
        with database.transaction() as session:
            one_by_one(session, workspace_id)
            archived.let_go(session, workspace_id, found.sequence_id)
    return Archived(changed, enrollments + late, under_way + late_under_way, finished)


def unarchive(database: Database, operator: Operator, key: str) -> Restored:
    """Bring a sequence back to what it was; the enrollments that were ended stay so.

    Raises:
        InvalidInput: archiving has not ended all that ran.
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        workspace_id, found = _find(session, operator.workspace, key)
        one_by_one(session, workspace_id)
        status = archived.restore(session, workspace_id, found.sequence_id, operator.name, operator.reason)
        if status is None:
            return Restored(changed=False, status=found.status)
        left = archived.running(session, found.sequence_id)
        if left.active + left.paused:
            raise InvalidInput(
                f"sequence {key!r} is still being archived: {counted(left.active + left.paused, 'enrollment')} still"
                f" to end; run `cadenza archive {key}` to the end first"
            )
        note_scope(session, workspace_id, found.sequence_id, operator.name, status, "brought back from the archive")
    return Restored(changed=True, status=status)


def _find(session: Session, workspace: str, key: str) -> tuple[int, PublishedSequence]:
    workspace_id = find_workspace(session, workspace).id
    return workspace_id, find_sequence(session, workspace_id, key)


def _end_all(
    database: Database, workspace_id: int, sequence_id: int, by: str, progress: Callable[[int], None]
) -> tuple[int, int]:
    enrollments = under_way = 0
    while True:
        try:
            with database.transaction() as session:
                chunk = archived.end_next(session, workspace_id, sequence_id, by)
        except psycopg.errors.DeadlockDetected:
            continue  # with a worker that settles late rows: it has moved those behind them, and we go on
        if chunk is None:
            return enrollments, under_way
        enrollments += chunk.enrollments
        under_way += chunk.under_way
        progress(chunk.enrollments)
