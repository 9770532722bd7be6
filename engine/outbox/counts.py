"""How the outbox stands: for `cadenza status` and for Prometheus."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from engine.database import Session
from engine.outbox.claim import MAY_GO
from schema.states import RowStatus

#: Counters and the deltas that are not folded yet, in one snapshot.
KEPT: Final = """
    (
        SELECT workspace_id, sequence_id, kind, value, amount, last_at FROM counters
        UNION ALL SELECT workspace_id, sequence_id, kind, value, amount, last_at FROM counter_deltas
    ) AS kept
"""

BY_VALUE: Final = f"""
SELECT value, sum(amount)::bigint FROM {KEPT}
WHERE kind = %(kind)s AND (%(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s) GROUP BY value
"""

BY_SEQUENCE: Final = f"""
SELECT sequence_id, kind, value, sum(amount)::bigint, max(last_at) FROM {KEPT}
WHERE kind IN ('enrollments', 'enrolled', 'steps') AND workspace_id = %(workspace)s
GROUP BY sequence_id, kind, value HAVING sum(amount) <> 0
"""

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

SENT_LATELY: Final = """
SELECT coalesce(sum(amount), 0)::bigint FROM (
    SELECT workspace_id, amount FROM sent_seconds WHERE second > clock_timestamp() - interval '1 minute'
    UNION ALL
    SELECT workspace_id, amount FROM counter_deltas
    WHERE kind = 'steps' AND value = 'sent' AND amount > 0 AND made_at > clock_timestamp() - interval '1 minute'
) AS lately
WHERE %(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s
"""


@dataclass(frozen=True, slots=True)
class OldestDue:
    """The row that has been due for longest and may go. Epoch seconds."""

    due_at: float
    """Sequence time."""
    retry_at: float | None
    """Real time at which its back-off ended."""


@dataclass(frozen=True, slots=True)
class SequenceCounts:
    """How much a sequence is used."""

    enrollments: dict[str, int] = field(default_factory=dict)
    """By status."""
    messages_sent: int = 0
    tasks_open: int = 0
    last_enrolled_at: datetime | None = None
    """Sequence time."""


def rows_by_status(session: Session, workspace_id: int | None = None) -> dict[str, int]:
    """Return how many rows have each status, in one workspace or in all."""
    return _by_value(session, "outbox", workspace_id)


def enrollments_by_source(session: Session) -> dict[str, int]:
    """Return how many enrollments came from files and from events."""
    return _by_value(session, "enrolled", None)


def by_sequence(session: Session, workspace_id: int) -> dict[int, SequenceCounts]:
    """Return the counts of each sequence of a workspace that somebody was enrolled in."""
    found: dict[int, SequenceCounts] = {}
    for sequence_id, kind, value, amount, last_at in session.execute(BY_SEQUENCE, {"workspace": workspace_id}):
        counts = found.get(sequence_id, SequenceCounts())
        if kind == "enrollments":
            counts = replace(counts, enrollments={**counts.enrollments, value: amount})
        elif kind == "enrolled":
            latest = max(filter(None, (counts.last_enrolled_at, last_at)), default=None)
            counts = replace(counts, last_enrolled_at=latest)
        elif value == RowStatus.SENT:
            counts = replace(counts, messages_sent=amount)
        else:
            counts = replace(counts, tasks_open=amount)
        found[sequence_id] = counts
    return found


def oldest_due(session: Session, workspace_id: int | None = None) -> OldestDue | None:
    """Return the row that should have gone out first; None: nothing is due."""
    row = session.execute(OLDEST_DUE, {"workspace": workspace_id}).fetchone()
    return OldestDue(*row) if row else None


def sent_in_the_last_minute(session: Session, workspace_id: int | None = None) -> int:
    """Return how many messages became `sent` in the last real minute."""
    row = session.execute(SENT_LATELY, {"workspace": workspace_id}).fetchone()
    return int(row[0]) if row else 0


def _by_value(session: Session, kind: str, workspace_id: int | None) -> dict[str, int]:
    return dict(session.execute(BY_VALUE, {"kind": kind, "workspace": workspace_id}).fetchall())
