"""Rows of gates and actions that go on without having ended, or that were tried before."""

from typing import Any, Final, NamedTuple

from engine.database import Session
from engine.outbox.lookups import checked

POSTPONE: Final = f"""
UPDATE outbox SET retry_at = clock_timestamp() + %(seconds)b * interval '1 second', fence = fence + 1,
    reason = 'it could not be settled; see the log'
WHERE id = %(row)b AND fence = %(fence)b AND {checked("status = 'pending'")}
"""

TRIED: Final = """
SELECT a.recipient, a.payload,
    (SELECT count(*) FROM attempts u WHERE u.outbox_id = %(row)b AND u.outcome = 'unanswered')
FROM attempts a WHERE a.outbox_id = %(row)b ORDER BY a.fence LIMIT 1
"""


class Tried(NamedTuple):
    """What the first attempt of a row was."""

    recipient: str
    payload: dict[str, Any]
    unanswered: int
    """Attempts that nobody has answered."""


def first_try(session: Session, row_id: int) -> Tried | None:
    """What was said first, to be repeated; None: nothing yet."""
    row = session.execute(TRIED, {"row": row_id}, binary=True).fetchone()
    return None if row is None else Tried._make(row)


def postpone(session: Session, row_id: int, fence: int, seconds: float) -> None:
    """Try a gate again after so many real seconds; the sweeper sees to that."""
    session.execute(POSTPONE, {"row": row_id, "fence": fence, "seconds": seconds}, binary=True)
