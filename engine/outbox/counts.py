"""How the outbox stands: for `cadenza status` and for Prometheus."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Final

from engine.database import Session
from engine.outbox.contact_holds import NOT_ON_HOLD
from engine.outbox.hold import NOT_HELD
from engine.outbox.pause import NOT_PAUSED
from schema.states import BLOCKING, RowStatus, sql_list

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

#: Messages that were sent, and whose rows are archived. A detached month counts too.
ARCHIVED_SENT: Final = """
SELECT sequence_id, sum(rows)::bigint FROM archived_counts
WHERE workspace_id = %(workspace)s AND status = 'sent' AND type IN ('sms', 'email') GROUP BY sequence_id
"""

ARCHIVED_ROWS: Final = """
SELECT coalesce(sum(rows), 0)::bigint FROM archived_counts
WHERE %(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s
"""

BY_SEQUENCE_AND_ARCHIVE: Final = f"""
SELECT sequence_id, kind, value, amount, last_at FROM ({BY_SEQUENCE}) AS hot (sequence_id, kind, value, amount, last_at)
UNION ALL
SELECT sequence_id, 'archived', 'sent', amount, NULL FROM ({ARCHIVED_SENT}) AS cold (sequence_id, amount)
"""

#: Of a due row (`o`): nothing keeps it. Each LIMIT makes it a look-up for each row, whatever the statistics say: the
#: planner can't turn it into a join of all enrollments.
GOES: Final = f"""
    CROSS JOIN LATERAL (
        SELECT e.id FROM enrollments e
        WHERE e.id = o.enrollment_id AND e.status = 'active' AND {NOT_HELD} AND {NOT_ON_HOLD} LIMIT 1
    ) AS running
    LEFT JOIN LATERAL (
        SELECT before.id FROM outbox before
        WHERE before.enrollment_id = o.enrollment_id AND before.step_order < o.step_order
            AND before.status IN ({sql_list(*BLOCKING)})
        LIMIT 1
    ) AS blocking ON true
    WHERE blocking.id IS NULL AND (o.retry_at IS NULL OR o.retry_at <= clock_timestamp()) AND {NOT_PAUSED}
    ORDER BY o.due_at LIMIT 1
"""

#: The rows of a workspace (`w`) that are due, the longest due first.
DUE: Final = """
    SELECT o.id, o.workspace_id, o.enrollment_id, o.step_order, o.type, o.due_at, o.retry_at FROM outbox o
    WHERE o.workspace_id = w.id AND o.status = 'pending' AND o.due_at <= (SELECT sequence_now())
"""

#: Rows of a workspace that are looked at in the order of their due times, and of each sample behind them.
LOOKED_AT: Final = 1_000
SAMPLED: Final = 100

OLDEST_DUE: Final = f"""
SELECT w.id, date_part('epoch', first.due_at), date_part('epoch', first.retry_at)
FROM workspaces w LEFT JOIN LATERAL (
    SELECT o.due_at, o.retry_at FROM ({DUE} ORDER BY o.due_at LIMIT {LOOKED_AT}) AS o {GOES}
) AS first ON true
WHERE (%(workspace)s::bigint IS NULL OR w.id = %(workspace)s) AND NOT EXISTS (
    SELECT FROM holds h WHERE h.workspace_id = w.id AND h.sequence_id IS NULL AND h.keep_times IS NULL
)
"""

#: Behind the rows that were looked at: samples that begin there, at half of the time from there to now, at a quarter...
BEHIND_THOSE: Final = f"""
SELECT date_part('epoch', first.due_at), date_part('epoch', first.retry_at)
FROM (SELECT sequence_now()) AS moment (now)
CROSS JOIN unnest(%(workspaces)s::bigint[]) AS w (id)
CROSS JOIN LATERAL ({DUE} ORDER BY o.due_at OFFSET {LOOKED_AT - 1} LIMIT 1) AS last
CROSS JOIN generate_series(0, 15) AS half
CROSS JOIN LATERAL (
    SELECT o.due_at, o.retry_at FROM (
        {DUE} AND o.due_at >= moment.now - (moment.now - last.due_at) * 0.5 ^ half ORDER BY o.due_at LIMIT {SAMPLED}
    ) AS o {GOES}
) AS first
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


def archived_rows(session: Session, workspace_id: int | None = None) -> int:
    """Return how many rows were archived, of one workspace or of all; `rows_by_status` does not count them."""
    row = session.execute(ARCHIVED_ROWS, {"workspace": workspace_id}).fetchone()
    return int(row[0]) if row else 0


def enrollments_by_source(session: Session) -> dict[str, int]:
    """Return how many enrollments came from files and from events."""
    return _by_value(session, "enrolled", None)


def by_sequence(session: Session, workspace_id: int) -> dict[int, SequenceCounts]:
    """Return the counts of each sequence of a workspace that somebody was enrolled in."""
    found: dict[int, SequenceCounts] = {}
    for sequence_id, kind, value, amount, last_at in session.execute(
        BY_SEQUENCE_AND_ARCHIVE, {"workspace": workspace_id}
    ):
        counts = found.get(sequence_id, SequenceCounts())
        if kind == "enrollments":
            counts = replace(counts, enrollments={**counts.enrollments, value: amount})
        elif kind == "enrolled":
            latest = max(filter(None, (counts.last_enrolled_at, last_at)), default=None)
            counts = replace(counts, last_enrolled_at=latest)
        elif value == RowStatus.SENT:
            counts = replace(counts, messages_sent=counts.messages_sent + amount)
        else:
            counts = replace(counts, tasks_open=amount)
        found[sequence_id] = counts
    return found


def oldest_due(session: Session, workspace_id: int | None = None) -> OldestDue | None:
    """Return the row that should have gone out first; None: nothing is due that may go.

    Where something keeps the longest due thousand rows of a workspace, it is one from samples of those behind them: a
    row that may go, and perhaps not the first. So the cost is bounded, however many rows a pause keeps.
    """
    found = session.execute(OLDEST_DUE, {"workspace": workspace_id}).fetchall()
    oldest = [OldestDue(due_at, retry_at) for _, due_at, retry_at in found if due_at is not None]
    others = [number for number, due_at, _ in found if due_at is None]
    if others:
        oldest += [OldestDue(*row) for row in session.execute(BEHIND_THOSE, {"workspaces": others})]
    return min(oldest, key=attrgetter("due_at"), default=None)


def sent_in_the_last_minute(session: Session, workspace_id: int | None = None) -> int:
    """Return how many messages became `sent` in the last real minute."""
    row = session.execute(SENT_LATELY, {"workspace": workspace_id}).fetchone()
    return int(row[0]) if row else 0


def _by_value(session: Session, kind: str, workspace_id: int | None) -> dict[str, int]:
    return dict(session.execute(BY_VALUE, {"kind": kind, "workspace": workspace_id}).fetchall())
