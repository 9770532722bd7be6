"""Read back what became of a transaction whose COMMIT got no reply."""

from collections.abc import Sequence
from typing import Final

from engine.database import Session
from engine.outbox.claim import Claimed

#: A row that is locked is still being committed, or given up by a session that has not noticed yet: it is not waited
#: for. A fence alone does not tell who holds a row, since another may have claimed it under the same; the end of its
#: lease does, a moment of the database's clock that was read while the row was locked.
HELD: Final = """
WITH locked AS MATERIALIZED (
    SELECT o.id, o.fence, o.lease_until FROM outbox o
    WHERE o.id = ANY(%(ids)b::bigint[]) ORDER BY o.id FOR UPDATE OF o SKIP LOCKED
)
SELECT locked.id FROM locked
JOIN unnest(%(ids)b::bigint[], %(fences)b::int[], %(leases)b::timestamptz[]) AS claimed (id, fence, lease_until)
    USING (id, fence, lease_until)
"""


def still_held(session: Session, rows: Sequence[Claimed]) -> list[Claimed]:
    """Those of the rows that are under the very lease of this claim; the others were never claimed by it, or taken."""
    held = session.execute(
        HELD,
        {
            "ids": [row.id for row in rows],
            "fences": [row.fence for row in rows],
            "leases": [row.lease_until for row in rows],
        },
        binary=True,
    ).fetchall()
    ids = {row_id for (row_id,) in held}
    return [row for row in rows if row.id in ids]
