"""The last look at attempts that were begun a while ago: many at once, right before they are handed over."""

from collections.abc import Sequence
from typing import Final

from engine.arrays import BigInts, Ints
from engine.database import Session
from engine.outbox.contact_holds import NOT_ON_HOLD
from engine.outbox.hold import NOT_HELD
from engine.outbox.lookups import checked, look_up

#: No STOP came since, and nothing was paused. Each attempt is looked up by its ids; the address is the one that the
#: message goes to, and has the collation of the index on addresses.
STILL_GOOD: Final = f"""
SELECT asked.id, asked.fence
FROM unnest(%(ids)b::bigint[], %(fences)b::int[]) AS asked (id, fence)
CROSS JOIN LATERAL (
    SELECT FROM outbox o JOIN attempt_records attempt ON attempt.outbox_id = asked.id AND attempt.fence = asked.fence
    JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")} AND {checked("e.status = 'active'")}
    WHERE o.id = asked.id AND o.fence = asked.fence AND {checked("o.status = 'sending'")}
        AND {NOT_HELD} AND {NOT_ON_HOLD} AND NOT EXISTS (
        SELECT FROM suppressions s WHERE s.workspace_id = o.workspace_id AND s.channel = o.type
            AND s.address = lower(attempt.recipient COLLATE "C") COLLATE "default"
        OFFSET 0
    ) AND NOT EXISTS (
        SELECT FROM contact_opt_outs gone WHERE gone.contact_id = e.contact_id AND gone.channel = o.type OFFSET 0
    )
    OFFSET 0
) AS good
"""


def still_good(session: Session, attempts: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of the attempts (row and fence) that may be handed over: no STOP and no pause came since."""
    rows = session.execute(
        STILL_GOOD,
        {"ids": BigInts([row_id for row_id, _ in attempts]), "fences": Ints([fence for _, fence in attempts])},
        prepare=True,
        binary=True,
    ).fetchall()
    return {(row_id, fence) for row_id, fence in rows}
