"""Put rows back that were claimed when they may not go out: to a later time, with the reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from engine.arrays import BigInts, Floats, Ints, Texts
from engine.clock import from_epoch
from engine.database import Session
from engine.outbox.lookups import checked, look_up
from engine.outbox.replan import Late, replan_behind
from engine.wakeups import Due

#: Rows that this transaction has claimed, and so locked. They stay pending under the fence that they had.
POSTPONE: Final = f"""
UPDATE outbox o SET due_at = to_timestamp(later.due), reason = later.reason
FROM unnest(%(ids)b::bigint[], %(fences)b::int[], %(dues)b::float8[], %(reasons)b::text[])
    AS later (id, fence, due, reason)
WHERE {look_up("o.id", "later.id")} AND o.fence = later.fence - 1 AND {checked("o.status = 'pending'")}
RETURNING o.id, date_part('epoch', o.due_at)
"""


class Postponed(NamedTuple):
    """A claimed row that may go out only later."""

    id: int
    fence: int
    """Of the attempt that is not begun now."""
    enrollment_id: int
    step_order: int
    was: float
    """When it was due, in epoch seconds of sequence time."""
    due_at: datetime
    """Sequence time."""
    reason: str


def postpone(session: Session, rows: Sequence[Postponed]) -> list[Due]:
    """Write the new times down, in the transaction that has claimed the rows; the steps behind keep their distance.

    Gives the wake-ups, to be scheduled after the COMMIT.
    """
    later = session.execute(
        POSTPONE,
        {
            "ids": BigInts([row.id for row in rows]),
            "fences": Ints([row.fence for row in rows]),
            "dues": Floats([row.due_at.timestamp() for row in rows]),
            "reasons": Texts([row.reason for row in rows]),
        },
        prepare=True,
        binary=True,
    ).fetchall()
    behind = [Late(row.enrollment_id, row.step_order, from_epoch(row.was), row.due_at) for row in rows]
    return [(due_at, [row_id]) for row_id, due_at in later] + replan_behind(session, behind)
