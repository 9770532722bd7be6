"""Look up archived rows without their month: what a late callback or signal names, after the outbox did not have it.

Each look-up probes an index of every attached month. Detached months are not looked at.
"""

from typing import Final

from engine.database import Session

IS_ARCHIVED: Final = "SELECT FROM archived_outbox WHERE id = %s LIMIT 1"


def is_archived(session: Session, row_id: int) -> bool:
    """Return whether an attached month has this row."""
    return session.execute(IS_ARCHIVED, (row_id,)).fetchone() is not None
