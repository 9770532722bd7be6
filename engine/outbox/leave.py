"""Leave early: end a contact's enrollments, and with them every step that has not been handed over."""

from collections.abc import Sequence
from typing import Final

from engine.database import Session

#: What becomes of a row (`o`) whose enrollment ended first: cancelled, unless it is an email that a server may have
#: accepted and that was to be sent once more (promise P3): nobody is told that it did not go out when nobody knows.
CALLED_OFF: Final = """
    status = CASE WHEN {in_doubt} THEN 'review' ELSE 'cancelled' END,
    reason = CASE WHEN {in_doubt} THEN 'it may have been accepted; not sent once more: ' ELSE '' END || {reason},
    fence = o.fence + 1, retry_at = NULL
"""
IN_DOUBT: Final = """
    (o.type = 'email' AND EXISTS (SELECT FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'unanswered'))
"""


def called_off(reason: str) -> str:
    """What is set of rows whose enrollment ended first, for the reason that this SQL gives."""
    return CALLED_OFF.format(in_doubt=IN_DOUBT, reason=reason)


#: An enrollment that is just being made needs the contact to stay (its foreign key): it is waited for, and then seen.
HOLD: Final = "SELECT FROM contacts WHERE id = %(contact)b FOR UPDATE"

#: Ends nothing that has ended.
END: Final = """
UPDATE enrollments e SET status = 'cancelled', exit_reason = %(reason)b, cancelled_at = sequence_now(), paused_at = NULL
FROM sequence_versions v
WHERE e.workspace_id = %(workspace)b AND e.contact_id = %(contact)b AND e.status IN ('active', 'paused')
    AND v.id = e.version_id AND (%(all)b OR v.definition -> 'exit_on' ? %(reason)b)
RETURNING e.id
"""

END_ONE: Final = """
UPDATE enrollments SET status = 'cancelled', exit_reason = %(reason)b, cancelled_at = sequence_now(), paused_at = NULL
WHERE id = %(enrollment)b AND status IN ('active', 'paused') RETURNING id
"""

#: Waits for rows that are being begun (engine/outbox/begin.py): they are on their way when this is committed, and no
#: others. A statement of its own, so that it sees what was settled while the one above was waiting.
CANCEL: Final = f"""
UPDATE outbox o SET {called_off("%(reason)b::text")}
WHERE o.enrollment_id = ANY(%(enrollments)b::bigint[]) AND o.status IN ('waiting', 'pending', 'open')
"""

#: Waits for whoever is ending the enrollment, who did not see the row while a worker held it.
RETURNED: Final = f"""
WITH late AS (
    SELECT o.id, e.exit_reason FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
    WHERE o.id = ANY(%(rows)b::bigint[]) AND o.status = 'pending' FOR SHARE OF e
)
UPDATE outbox o SET {called_off("late.exit_reason")}
FROM late WHERE o.id = late.id AND late.exit_reason IS NOT NULL
"""


def leave(
    session: Session, workspace_id: int, contact_id: int, reason: str, *, only_where_asked: bool = False
) -> Sequence[int]:
    """End the contact's active and paused enrollments in the workspace, for the reason; give their ids.

    `only_where_asked`: those alone whose sequence names the reason in `exit_on`.
    """
    session.execute(HOLD, {"contact": contact_id}, binary=True)
    rows = session.execute(
        END,
        {"workspace": workspace_id, "contact": contact_id, "reason": reason, "all": not only_where_asked},
        binary=True,
    ).fetchall()
    enrollments = [enrollment_id for (enrollment_id,) in rows]
    if enrollments:
        session.execute(CANCEL, {"enrollments": enrollments, "reason": reason}, binary=True)
    return enrollments


def leave_one(session: Session, enrollment_id: int, reason: str) -> bool:
    """End one enrollment, for the reason; False: it has ended already."""
    ended = session.execute(END_ONE, {"enrollment": enrollment_id, "reason": reason}, binary=True).fetchone()
    if ended is not None:
        session.execute(CANCEL, {"enrollments": [enrollment_id], "reason": reason}, binary=True)
    return ended is not None


def cancel_returned(session: Session, rows: Sequence[int]) -> None:
    """Cancel those of the rows that went back to `pending` after their enrollment had ended."""
    if rows:
        session.execute(RETURNED, {"rows": list(rows)}, binary=True)
