"""What an operator does to one enrollment: cancel it, skip steps, let the next go now. Guarded like all else."""

from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from engine.clock import SequenceClock
from engine.database import Session
from engine.outbox.leave import IN_DOUBT, leave_one
from engine.outbox.lookups import checked
from engine.outbox.resolve import Resolution, resolve
from engine.outbox.sweep import wakeups_of
from engine.wakeups import Due
from schema.states import RowStatus

#: Waits for whoever is beginning one of them. The enrollment is locked before (producers/enrollments.py).
STEPS: Final = f"""
SELECT o.id, o.step_order, o.step_key, o.status, o.fence, {IN_DOUBT} AS in_doubt
FROM outbox o WHERE o.enrollment_id = %s ORDER BY o.step_order FOR UPDATE
"""

#: The whole rest of the enrollment comes earlier by as much as its next step does.
NOW: Final = f"""
UPDATE outbox o SET due_at = o.due_at - early.time, retry_at = NULL
FROM (
    SELECT greatest(first.due_at - sequence_now(), interval '0') AS time FROM outbox first WHERE first.id = %(row)s
) AS early
WHERE o.enrollment_id = %(enrollment)s AND {checked("o.status = 'pending'")}
"""

BY_HAND: Final = "skipped by an operator"
MAY_HAVE_GONE: Final = "skipped by an operator; an earlier try may have been accepted"

UNDER_WAY: Final = "SELECT count(*) FROM outbox WHERE enrollment_id = %s AND status = 'sending'"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an enrollment, as it stands."""

    id: int
    step_order: int
    step_key: str
    status: str
    fence: int
    in_doubt: bool
    """An email that may have been accepted, and is to be sent once more."""


def steps_of(session: Session, enrollment_id: int) -> list[Step]:
    """The steps in order, which nobody begins before the transaction ends."""
    with session.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(STEPS, (enrollment_id,)).fetchall()


def cancel(session: Session, enrollment_id: int, reason: str) -> bool:
    """End an enrollment; False: it has ended already."""
    return leave_one(session, enrollment_id, reason)


def skip(session: Session, clock: SequenceClock, steps: list[Step], by: str, because: str | None) -> list[Due]:
    """Give up steps that have not begun; those behind keep their times. Gives the wake-ups that follow."""
    resolutions = [
        Resolution(step.id, step.fence, RowStatus.REVIEW, MAY_HAVE_GONE)
        if step.in_doubt
        else Resolution(step.id, step.fence, RowStatus.SKIPPED, BY_HAND)
        for step in steps
    ]
    return resolve(session, clock, resolutions, by, because).wakeups


def run_now(session: Session, enrollment_id: int, step: Step) -> list[Due]:
    """Let a step that is next, and has not begun, go now; those behind keep their distance to it."""
    session.execute(NOW, {"enrollment": enrollment_id, "row": step.id})
    return wakeups_of(session, [enrollment_id])


def under_way(session: Session, enrollment_id: int) -> int:
    """Steps that were handed over, or are about to be: they can't be called back."""
    row = session.execute(UNDER_WAY, (enrollment_id,)).fetchone()
    return int(row[0]) if row else 0
