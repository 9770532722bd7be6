"""How the outbox stands: for `cadenza status` and for Prometheus."""

from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.outbox.claim import MAY_GO

BY_STATUS: Final = (
    "SELECT status, count(*) FROM outbox WHERE %(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s GROUP BY 1"
)

OLDEST_DUE: Final = f"""
SELECT date_part('epoch', first.due_at), date_part('epoch', first.retry_at)
FROM workspaces w CROSS JOIN LATERAL (
    SELECT o.due_at, o.retry_at FROM outbox o
    WHERE o.workspace_id = w.id AND o.status = 'pending' AND o.due_at <= (SELECT sequence_now())
        AND (o.retry_at IS NULL OR o.retry_at <= clock_timestamp()) AND {MAY_GO}
    ORDER BY o.due_at LIMIT 1
) AS first
WHERE %(workspace)s::bigint IS NULL OR w.id = %(workspace)s
ORDER BY first.due_at LIMIT 1
"""

SOURCES: Final = "SELECT CASE WHEN batch_id IS NULL THEN 'event' ELSE 'file' END, count(*) FROM enrollments GROUP BY 1"

SENT_LATELY: Final = """
SELECT count(*) FROM attempts
WHERE outcome = 'accepted' AND ended_at > clock_timestamp() - interval '1 minute'
    AND (%(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s)
"""


@dataclass(frozen=True, slots=True)
class OldestDue:
    """The row that has been due for longest and may go. Epoch seconds."""

    due_at: float
    """Sequence time."""
    retry_at: float | None
    """Real time at which its back-off ended."""


def rows_by_status(session: Session, workspace_id: int | None = None) -> dict[str, int]:
    """How many rows have each status, in one workspace or in all."""
    return dict(session.execute(BY_STATUS, {"workspace": workspace_id}).fetchall())


def oldest_due(session: Session, workspace_id: int | None = None) -> OldestDue | None:
    """The row that should have gone out first; None: nothing is due."""
    row = session.execute(OLDEST_DUE, {"workspace": workspace_id}).fetchone()
    return OldestDue(*row) if row else None


def enrollments_by_source(session: Session) -> dict[str, int]:
    """How many enrollments came from files and from events."""
    return dict(session.execute(SOURCES).fetchall())


def sent_in_the_last_minute(session: Session, workspace_id: int | None = None) -> int:
    """Messages that a provider accepted in the last real minute."""
    row = session.execute(SENT_LATELY, {"workspace": workspace_id}).fetchone()
    return int(row[0]) if row else 0
