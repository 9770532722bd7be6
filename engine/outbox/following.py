"""What follows when rows have ended: the step behind each is told; without any left, the enrollment is complete."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.database import Session
from engine.wakeups import Due
from schema.states import BLOCKING, sql_list

#: The end of a statement that has `settled` (rows just settled) as a part before.
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
        AND e.id = following.enrollment_id AND e.status = 'active'
        AND NOT EXISTS (
            SELECT FROM outbox o WHERE o.enrollment_id = e.id AND o.status IN ({sql_list(*BLOCKING)})
                AND o.id NOT IN (SELECT settled.id FROM settled)
        )
)
SELECT id, enrollment_id, step_order, date_part('epoch', due_at), date_part('epoch', retry_at),
    next_id, date_part('epoch', next_due_at)
FROM following
"""

#: The steps behind one that was late keep their delay after it (promise P5).
SHIFT: Final = """
UPDATE outbox o SET due_at = o.due_at + late.seconds * interval '1 second',
    reason = CASE WHEN (SELECT open_until > clock_timestamp() FROM dispatch) THEN o.reason ELSE %(shut)b END
FROM unnest(%(enrollments)b::bigint[], %(orders)b::int[], %(seconds)b::float8[])
    AS late (enrollment_id, step_order, seconds)
WHERE o.enrollment_id = late.enrollment_id AND o.step_order > late.step_order AND o.status = 'pending'
RETURNING o.id, date_part('epoch', o.due_at)
"""

#: The reason of a row that was moved while dispatch was shut. If the database turns out to have been restored from a
#: backup, the row may have gone out at the time it had before (engine/outbox/dispatch.py).
MOVED_WHILE_SHUT: Final = "moved behind a late step while dispatch was shut"

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
    """Move the steps behind late ones by as many seconds of sequence time; tell the new wake-ups."""
    rows = session.execute(
        SHIFT,
        {
            "enrollments": [row.enrollment_id for row, _ in late],
            "orders": [row.step_order for row, _ in late],
            "seconds": [seconds for _, seconds in late],
            "shut": MOVED_WHILE_SHUT,
        },
        binary=True,
    ).fetchall()
    return [(due_at, [row_id]) for row_id, due_at in rows]
