"""Pause and resume: an enrollment, a sequence, a workspace. When a pause returns, nothing more is begun."""

from dataclasses import dataclass
from typing import Final

import psycopg

from engine.database import Database
from engine.errors import InvalidInput
from engine.outbox.barrier import wait_for_claims
from engine.outbox.history import Change, note, note_scope
from engine.outbox.hold import hold, holds_on, one_by_one
from engine.outbox.resume import release, resume_enrollment
from engine.wakeups import Wakeups
from producers.enrollments import find_enrollment
from producers.operator import Operator
from producers.sequences import find_sequence, require_not_archived
from producers.waking import wake
from producers.workspaces import find_workspace
from schema.states import EnrollmentStatus, SequenceStatus

#: Found by its id alone (engine/outbox/lookups.py, `checked`).
PAUSE: Final = """
UPDATE enrollments SET status = 'paused', paused_at = sequence_now()
WHERE id = %s AND coalesce(status = 'active', false) RETURNING id
"""

UNDER_WAY: Final = "SELECT count(*) FROM outbox WHERE enrollment_id = %s AND status = 'sending'"

#: What the history says of a resume after which no delay was made longer.
RAN_ON: Final = "the clock ran on"

SET_STATUS: Final = "UPDATE sequences SET status = %s WHERE id = %s AND status = %s"


@dataclass(frozen=True, slots=True)
class Paused:
    """What a pause came to."""

    changed: bool
    """False: it was paused already."""
    under_way: int | None
    """Steps that had been begun by then, and can't be called back; None: not counted."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a resume came to."""

    changed: bool
    """False: it was not paused."""
    status: str
    enrollments: int
    woken: bool
    """False: Redis is away, and the sweeper makes up for the wake-ups."""


def pause_enrollment(database: Database, operator: Operator, enrollment_id: int) -> Paused:
    """Pause an enrollment.

    Raises:
        InvalidInput: it has ended, or there is none.
    """
    with database.transaction() as session:
        workspace_id = find_workspace(session, operator.workspace).id
        one_by_one(session, workspace_id)
        found = find_enrollment(session, workspace_id, enrollment_id, lock=True)
        if found.status not in (EnrollmentStatus.ACTIVE, EnrollmentStatus.PAUSED):
            raise InvalidInput(f"enrollment {enrollment_id} is {found.standing}: there is nothing to pause")
        changed = session.execute(PAUSE, (enrollment_id,)).fetchone() is not None
        if changed:
            change = Change(enrollment_id, found.status, EnrollmentStatus.PAUSED, operator.reason)
            note(session, workspace_id, operator.name, [change])
    wait_for_claims(database)
    with database.transaction() as session:
        row = session.execute(UNDER_WAY, (enrollment_id,)).fetchone()
    return Paused(changed, int(row[0]) if row else None)


def pause_all(database: Database, operator: Operator, sequence: str | None) -> Paused:
    """Pause a sequence, or the whole workspace: at once, however many are enrolled.

    Raises:
        InvalidInput: the sequence is a draft or archived, or there is none.
    """
    with database.transaction() as session:
        workspace_id = find_workspace(session, operator.workspace).id
        one_by_one(session, workspace_id)
        sequence_id = None
        if sequence is not None:
            found = find_sequence(session, workspace_id, sequence)
            if found.status not in (SequenceStatus.ACTIVE, SequenceStatus.PAUSED):
                raise InvalidInput(f"sequence {sequence!r} is {found.status}: there is nothing to pause")
            sequence_id = found.sequence_id
        changed = hold(session, workspace_id, sequence_id, operator.name, operator.reason)
        session.execute(SET_STATUS, (SequenceStatus.PAUSED, sequence_id, SequenceStatus.ACTIVE))
        if changed:
            note_scope(session, workspace_id, sequence_id, operator.name, "paused", operator.reason)
    wait_for_claims(database)
    return Paused(changed, None)


def resume_one(
    database: Database, wakeups: Wakeups, operator: Operator, enrollment_id: int, *, keep_times: bool = False
) -> Resumed:
    """Resume an enrollment: what remained of each delay counts from now; or, with `keep_times`, the clock ran on.

    Raises:
        InvalidInput: it has ended, or there is none.
    """
    with database.transaction() as session:
        workspace_id = find_workspace(session, operator.workspace).id
        one_by_one(session, workspace_id)
        found = find_enrollment(session, workspace_id, enrollment_id, lock=True)
        if found.status not in (EnrollmentStatus.ACTIVE, EnrollmentStatus.PAUSED):
            raise InvalidInput(f"enrollment {enrollment_id} is {found.standing}: it can't be resumed")
        resumed = resume_enrollment(session, workspace_id, enrollment_id, keep_times=keep_times)
        if resumed is None:
            return Resumed(changed=False, status=found.status, enrollments=0, woken=True)
        status, due = resumed
        change = Change(enrollment_id, found.status, status, _reason(operator, keep_times))
        note(session, workspace_id, operator.name, [change])
    return Resumed(changed=True, status=status, enrollments=1, woken=wake(wakeups, due))


def resume_all(
    database: Database, wakeups: Wakeups, operator: Operator, sequence: str | None, *, keep_times: bool = False
) -> Resumed:
    """Resume a sequence, or the whole workspace, chunk by chunk; a run that was stopped goes on when it is run again.

    Raises:
        InvalidInput: the sequence is archived.
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        workspace_id = find_workspace(session, operator.workspace).id
        sequence_id = None if sequence is None else find_sequence(session, workspace_id, sequence).sequence_id
        one_by_one(session, workspace_id)
        if sequence_id is not None:
            require_not_archived(session, sequence_id)
        session.execute(SET_STATUS, (SequenceStatus.ACTIVE, sequence_id, SequenceStatus.PAUSED))
        holds = holds_on(session, workspace_id, sequence_id)
        if holds:
            note_scope(session, workspace_id, sequence_id, operator.name, "resumed", _reason(operator, keep_times))
    enrollments, woken = 0, True
    for hold_id in holds:
        over = False
        while not over:
            try:
                with database.transaction() as session:
                    one_by_one(session, workspace_id)
                    chunk = release(session, hold_id, keep_times=keep_times)
            except psycopg.errors.DeadlockDetected:
                continue  # with a worker that settles late rows: it has moved those behind them, and we go on
            over = chunk.over
            enrollments += chunk.enrollments
            woken = wake(wakeups, chunk.wakeups) and woken
    return Resumed(bool(holds), "active", enrollments, woken)


def _reason(operator: Operator, keep_times: bool) -> str | None:
    return "; ".join(filter(None, [operator.reason, RAN_ON if keep_times else None])) or None
