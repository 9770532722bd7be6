"""Messages that failed: found, and made ready to be sent again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from engine.clock import sequence_now
from engine.database import Session
from engine.outbox.base import BASE
from engine.outbox.lookups import checked, look_up
from engine.outbox.replan import Late, replan_behind
from engine.wakeups import Due
from schema.states import BLOCKING, sql_list

#: In sequence time. Rows that failed before migration 0020 keep their due time alone.
FAILED_AT: Final = f"coalesce({BASE}, o.due_at)"

FAILED: Final = f"""
SELECT o.id, o.fence, o.step_order, o.enrollment_id, s.key AS sequence, o.step_key, o.type, o.reason, o.error_code,
    {FAILED_AT} AS failed_at, e.status AS enrollment_status, e.exit_reason
FROM sequences s JOIN enrollments e ON {look_up("e.sequence_id", "s.id")}
JOIN outbox o ON {look_up("o.enrollment_id", "e.id")} AND {checked("o.status = 'failed'")}
WHERE s.id = %(sequence)s AND {FAILED_AT} >= coalesce(%(since)s::timestamptz, '-infinity')
    AND (%(code)s::text IS NULL OR o.error_code = %(code)s)
ORDER BY o.id
"""

ONE: Final = f"""
SELECT o.id, o.fence, o.step_order, o.enrollment_id, s.key AS sequence, o.step_key, o.type, o.reason, o.error_code,
    {FAILED_AT} AS failed_at, e.status AS enrollment_status, e.exit_reason
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN sequences s ON s.id = e.sequence_id
WHERE o.id = %(row)s AND o.workspace_id = %(workspace)s AND o.status = 'failed'
"""

#: It gets all its tries anew, and must not be skipped for being late.
ANEW: Final = "UPDATE outbox SET due_at = sequence_now(), attempts = 0 WHERE id = %(row)s"

#: A later step that has begun or ended: those behind it count from that.
LATER: Final = f"""
SELECT FROM outbox o WHERE o.enrollment_id = %(enrollment)s AND o.step_order > %(order)s
    AND ({BASE} IS NOT NULL OR o.status IN ({sql_list(*BLOCKING)}) AND o.status NOT IN ('pending', 'waiting'))
LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Failed:
    """A row that failed, and its enrollment."""

    id: int
    fence: int
    step_order: int
    enrollment_id: int
    sequence: str
    step_key: str
    type: str
    reason: str | None
    error_code: str | None
    failed_at: datetime
    """Sequence time."""
    enrollment_status: str
    exit_reason: str | None


def failed_in(session: Session, sequence_id: int, since: datetime | None, code: str | None) -> list[Failed]:
    """Return the failed rows of a sequence; `since` is sequence time, `code` the provider's error code."""
    with session.cursor(row_factory=class_row(Failed)) as cursor:
        return cursor.execute(FAILED.encode(), {"sequence": sequence_id, "since": since, "code": code}).fetchall()


def failed_row(session: Session, workspace_id: int, row_id: int) -> Failed | None:
    """Return a failed row of a workspace; None: there is no such row, or it has not failed."""
    with session.cursor(row_factory=class_row(Failed)) as cursor:
        return cursor.execute(ONE.encode(), {"row": row_id, "workspace": workspace_id}).fetchone()


def make_due(session: Session, row: Failed) -> list[Due]:
    """Let a failed row, whose enrollment is locked, fall due now with all its tries. Return the wake-ups.

    The steps behind count from now, as long as none of them has begun.
    """
    session.execute(ANEW, {"row": row.id})
    begun = session.execute(LATER.encode(), {"enrollment": row.enrollment_id, "order": row.step_order}).fetchone()
    if begun is not None:
        return []
    return replan_behind(session, [Late(row.enrollment_id, row.step_order, row.failed_at, sequence_now(session))])
