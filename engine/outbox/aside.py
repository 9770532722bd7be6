"""Set rows aside for a moment: nobody claims them while their enrollments are moved.

See docs/decisions/0021-migrating.md.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from engine.database import Session
from engine.outbox.lookups import checked, look_up
from schema.states import MESSAGE_TYPES

#: Real seconds for which rows are set aside; how many of them must be left when they are moved; and how long it may
#: take then: whatever has looked at a row before it was moved has found by then that it may not be claimed.
ASIDE: Final = 60.0
LEFT: Final = 30.0
LONGEST: Final = 5.0

#: Real seconds before its time from which on a row may be claimed while it is moved.
SOON: Final = 10.0

SET_ASIDE: Final = f"""
WITH near AS MATERIALIZED (
    SELECT o.id, o.retry_at FROM outbox o
    WHERE o.enrollment_id = ANY(%(enrollments)s::bigint[]) AND {checked("o.status = 'pending'")}
        AND o.type = ANY(%(messages)s) AND o.due_at <= sequence_now() + %(soon)s * interval '1 second'
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox o
SET retry_at = greatest(coalesce(o.retry_at, '-infinity'), clock_timestamp() + %(aside)s * interval '1 second')
FROM near WHERE {look_up("o.id", "near.id")} RETURNING o.id, near.retry_at
"""

GIVE_BACK: Final = f"""
UPDATE outbox o SET retry_at = aside.retry_at
FROM unnest(%(ids)s::bigint[], %(retries)s::timestamptz[]) AS aside (id, retry_at)
WHERE {look_up("o.id", "aside.id")}
"""


def set_aside(session: Session, enrollments: Sequence[int], soon: float) -> dict[int, datetime | None]:
    """Let nobody claim their messages for a while; give what to `give_back` is to be given, by row.

    `soon`: seconds of sequence time before its time from which on a row may be claimed. After the COMMIT, claims that
    were under way are to be waited for (engine/outbox/barrier.py).
    """
    named = {"enrollments": list(enrollments), "messages": list(MESSAGE_TYPES), "soon": soon, "aside": ASIDE}
    return dict(session.execute(SET_ASIDE, named).fetchall())


def give_back(session: Session, rows: Mapping[int, datetime | None]) -> None:
    """Let them be claimed again, when they could be before."""
    session.execute(GIVE_BACK, {"ids": list(rows), "retries": list(rows.values())})
