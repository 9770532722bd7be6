"""Many enrollments of one step, written by one statement: what a sweep sees of a large installation."""

from world import World

FILL = """
WITH made AS (
    INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, status, reentry, enrolled_at, paused_at)
    SELECT 1, s.id, s.id, number, %(status)s, 'always', now(), CASE WHEN %(status)s = 'paused' THEN now() END
    FROM sequences s, generate_series(1, %(count)s) AS number WHERE s.key = %(sequence)s
    RETURNING id
)
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at)
SELECT 1, made.id, step.number, 's' || step.number, %(type)s, step.status,
    now() - %(ago)s * interval '1 second' + (made.id %% 1000) * interval '1 millisecond'
FROM made, unnest(%(statuses)s::text[]) WITH ORDINALITY AS step (status, number)
RETURNING id, due_at
"""


def fill(
    world: World,
    count: int,
    *,
    ago: float,
    sequence: str = "follow-up",
    status: str = "active",
    type: str = "sms",  # noqa: A002 (the name of the column)
    statuses: tuple[str, ...] = ("pending",),
) -> list[int]:
    """Enroll so many contacts whose steps fell due so many seconds ago, within a second; return the ids of the rows."""
    with world.database.transaction() as session:
        rows = session.execute(
            FILL,
            {
                "count": count,
                "ago": ago,
                "sequence": sequence,
                "status": status,
                "type": type,
                "statuses": list(statuses),
            },
        ).fetchall()
    return [row_id for row_id, _ in sorted(rows, key=lambda row: (row[1], row[0]))]
