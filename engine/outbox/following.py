"""What follows when rows have ended: the step behind each is told; without any left, the enrollment is complete."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.clock import from_epoch
from engine.database import Session
from engine.outbox.lookups import checked, look_up
from engine.outbox.replan import Late, replan_behind
from engine.wakeups import Due
from schema.states import BLOCKING, sql_list

#: The end of a statement that has `settled` (rows just settled) as a part before. Where no step behind is left, only
#: those before can keep the enrollment.
FOLLOWING: Final = f"""
following AS (
    SELECT settled.*, next.id AS next_id, next.due_at AS next_due_at
    FROM settled LEFT JOIN LATERAL (
        SELECT o.id, o.due_at FROM outbox o
        WHERE o.enrollment_id = settled.enrollment_id AND o.step_order > settled.step_order
            AND o.status IN ({sql_list(*BLOCKING)})
        ORDER BY o.step_order LIMIT 1
    ) AS next ON true
),
completed AS (
    UPDATE enrollments e SET status = 'completed', completed_at = (SELECT sequence_now()) FROM following
    WHERE following.next_id IS NULL AND following.status NOT IN ({sql_list(*BLOCKING)})
        AND {look_up("e.id", "following.enrollment_id")} AND {checked("e.status = 'active'")}
        AND NOT EXISTS (
            SELECT FROM outbox o WHERE o.enrollment_id = e.id AND o.step_order < following.step_order
                AND o.status IN ({sql_list(*BLOCKING)}) AND o.id NOT IN (SELECT settled.id FROM settled)
            OFFSET 0
        )
)
SELECT id, enrollment_id, step_order, date_part('epoch', due_at), date_part('epoch', retry_at),
    next_id, date_part('epoch', next_due_at)
FROM following
"""

#: A step that was late by more real seconds than this moves those behind it (promise P5).
LATE: Final = 60.0


class Settled(NamedTuple):
    """A row that was settled, and the step behind it. Moments are epoch seconds."""

    id: int
    enrollment_id: int
    step_order: int
    due_at: float
    """Sequence time."""
    retry_at: float | None
    """Real time."""
    next_id: int | None
    next_due_at: float | None
    """Sequence time."""


def shift_behind(session: Session, late: Sequence[tuple[Settled, float]]) -> list[Due]:
    """Move the steps behind rows that ended so many seconds of sequence time late; tell the new wake-ups."""
    return replan_behind(
        session,
        [
            Late(row.enrollment_id, row.step_order, from_epoch(row.due_at), from_epoch(row.due_at + seconds))
            for row, seconds in late
        ],
    )
