"""Rows of gates that go on without having ended."""

from typing import Final

from engine.database import Session

POSTPONE: Final = """
UPDATE outbox SET retry_at = clock_timestamp() + %(seconds)b * interval '1 second', fence = fence + 1,
    reason = 'it could not be settled; see the log'
WHERE id = %(row)b AND fence = %(fence)b AND status = 'pending'
"""


def postpone(session: Session, row_id: int, fence: int, seconds: float) -> None:
    """Try a gate again after so many real seconds; the sweeper sees to that."""
    session.execute(POSTPONE, {"row": row_id, "fence": fence, "seconds": seconds}, binary=True)
