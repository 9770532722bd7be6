"""The counters held against what they count, in one statement: in one snapshot."""

from typing import Any, Final

#: Counters that differ from the count: which, what they say, and what there is.
DIFFERENCES: Final = """
WITH kept AS (
    SELECT workspace_id, sequence_id, kind, value, sum(amount)::bigint AS amount
    FROM (
        SELECT workspace_id, sequence_id, kind, value, amount FROM counters
        UNION ALL SELECT workspace_id, sequence_id, kind, value, amount FROM counter_deltas
    ) AS both_tables
    GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0
),
counted AS (
    SELECT workspace_id, 0::bigint AS sequence_id, 'outbox' AS kind, status AS value, count(*) AS amount
    FROM outbox GROUP BY 1, 4
    UNION ALL
    SELECT o.workspace_id, e.sequence_id, 'steps', o.status, count(*)
    FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
    WHERE o.status = 'open' OR o.status = 'sent' AND o.type IN ('sms', 'email') GROUP BY 1, 2, 4
    UNION ALL
    SELECT workspace_id, sequence_id, 'enrollments', status, count(*) FROM enrollments GROUP BY 1, 2, 4
    UNION ALL
    SELECT workspace_id, sequence_id, 'enrolled', CASE WHEN batch_id IS NULL THEN 'event' ELSE 'file' END, count(*)
    FROM enrollments GROUP BY 1, 2, 4
)
SELECT kind, value, sequence_id, kept.amount, counted.amount
FROM kept FULL JOIN counted USING (workspace_id, sequence_id, kind, value)
WHERE kept.amount IS DISTINCT FROM counted.amount ORDER BY 1, 2, 3
"""


def differences(session: Any) -> list[tuple[Any, ...]]:
    """Return the counters that are wrong, on a session or a model's ground."""
    rows: list[tuple[Any, ...]] = session.execute(DIFFERENCES).fetchall()
    return rows
