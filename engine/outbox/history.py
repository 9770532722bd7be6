"""The history: who did what to enrollments and steps, and why. Only what rows and attempts don't tell themselves."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import psycopg

from engine.database import Session

NOTE: Final = """
INSERT INTO history
    (sequence_at, workspace_id, sequence_id, enrollment_id, outbox_id, made_by, was, became, reason)
SELECT sequence_now(), %(workspace)s, NULL, change.enrollment_id, change.outbox_id, %(by)s,
    change.was, change.became, change.reason
FROM unnest(%(enrollments)s::bigint[], %(rows)s::bigint[], %(was)s::text[], %(became)s::text[], %(reasons)s::text[])
    WITH ORDINALITY AS change (enrollment_id, outbox_id, was, became, reason, number)
ORDER BY change.number
"""

NOTE_SCOPE: Final = """
INSERT INTO history (sequence_at, workspace_id, sequence_id, made_by, became, reason)
VALUES (sequence_now(), %(workspace)s, %(sequence)s, %(by)s, %(became)s, %(reason)s)
"""

#: Everything that is known of an enrollment in the order of real time: what was noted, and what rows and attempts tell.
_STORY: Final = """
SELECT told.at, told.step, told.made_by, told.was, told.became, told.reason FROM (
    SELECT h.at, o.step_key AS step, h.made_by, h.was, h.became, h.reason, 3 AS rank
    FROM history h LEFT JOIN {outbox} o ON o.id = h.outbox_id{of_month} WHERE h.enrollment_id = %(enrollment)s
    UNION ALL
    SELECT e.created_at, NULL, CASE WHEN e.batch_id IS NULL THEN 'event' ELSE 'file' END, NULL, 'active', NULL, 0
    FROM enrollments e WHERE e.id = %(enrollment)s
    UNION ALL
    SELECT a.started_at, o.step_key, 'worker', 'pending', 'sending', NULL, 1
    FROM {outbox} o JOIN {attempts} a ON a.outbox_id = o.id{both_of_month} WHERE o.enrollment_id = %(enrollment)s
    UNION ALL
    SELECT a.ended_at, o.step_key, 'worker', 'sending', a.outcome, concat_ws(': ', a.error_code, a.detail), 2
    FROM {outbox} o JOIN {attempts} a ON a.outbox_id = o.id{both_of_month}
    WHERE o.enrollment_id = %(enrollment)s AND a.ended_at IS NOT NULL
) AS told
ORDER BY told.at, told.rank
"""

STORY: Final = _STORY.format(outbox="outbox", attempts="attempts", of_month="", both_of_month="")

#: The same of archived steps. The month leads to one partition.
ARCHIVED_STORY: Final = _STORY.format(
    outbox="archived_outbox",
    attempts="archived_attempts",
    of_month=" AND o.archived_month = %(month)s::date",
    both_of_month=" AND o.archived_month = %(month)s::date AND a.archived_month = %(month)s::date",
)


#: Who ends conditions, waits, variants and actions.
ENGINE: Final = "engine"

COMPLETED: Final = "SELECT FROM enrollments WHERE id = %(enrollment)s AND status = 'completed'"


class Change(NamedTuple):
    """A transition of an enrollment, or of one of its steps."""

    enrollment_id: int
    was: str | None
    became: str
    reason: str | None = None
    row_id: int | None = None


class Told(NamedTuple):
    """Something that happened to an enrollment or one of its steps."""

    at: datetime
    """Real time."""
    step: str | None
    """None: the enrollment itself."""
    made_by: str
    was: str | None
    became: str
    reason: str | None


def story(session: Session, enrollment_id: int, month: date | None = None) -> list[Told]:
    """Return the whole history of an enrollment, the oldest first; `month`: its steps are in the archive of that."""
    query = (STORY if month is None else ARCHIVED_STORY).encode()
    asked = {"enrollment": enrollment_id, "month": month}
    told = [Told._make(row) for row in session.execute(query, asked).fetchall()]
    if told and session.execute(COMPLETED, asked).fetchone() is not None:
        # it is completed in the transaction that ends its last step
        told.append(Told(told[-1].at, None, ENGINE, "active", "completed", None))
    return told


def note(session: Session, workspace_id: int, by: str, changes: Sequence[Change]) -> None:
    """Write down who did what, in the transaction that does it."""
    if changes:
        session.execute(
            NOTE,
            {
                "workspace": workspace_id,
                "by": by,
                "enrollments": [change.enrollment_id for change in changes],
                "rows": [change.row_id for change in changes],
                "was": [change.was for change in changes],
                "became": [change.became for change in changes],
                "reasons": [change.reason for change in changes],
            },
        )


def note_scope(
    session: Session, workspace_id: int, sequence_id: int | None, by: str, became: str, reason: str | None
) -> None:
    """Write down who did what to a sequence, or to the whole workspace."""
    scope = {"workspace": workspace_id, "sequence": sequence_id, "by": by, "became": became, "reason": reason}
    session.execute(NOTE_SCOPE, scope)


def make_months(session: Session) -> bool:
    """Make the partitions of the coming months, as far as they are not there; False: not now, somebody reads them.

    A backup reads them for hours, and the leader waits for nobody.
    """
    try:
        with session.transaction():
            session.execute("SET LOCAL lock_timeout = '1s'")
            session.execute("SELECT make_history_months()")
    except psycopg.errors.LockNotAvailable:
        return False
    return True
