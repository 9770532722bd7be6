"""Leave early: end a contact's enrollments, and with them every step that has not been handed over."""

from collections.abc import Sequence
from typing import Final

from engine.database import Session
from engine.outbox.history import Change, note
from engine.outbox.lookups import checked, look_up

#: Who ended an enrollment that nobody ended by hand, as the history says.
EXIT_RULE: Final = "exit rule"

#: What becomes of a row (`o`) whose enrollment ended first: cancelled, unless it is an email that a server may have
#: accepted and that was to be sent once more (promise P3): nobody is told that it did not go out when nobody knows.
CALLED_OFF: Final = """
    status = CASE WHEN {in_doubt} THEN 'review' ELSE 'cancelled' END,
    reason = CASE WHEN {in_doubt} THEN 'it may have been accepted; not sent once more: ' ELSE '' END || {reason},
    fence = o.fence + 1, retry_at = NULL
"""
IN_DOUBT: Final = """
    (o.type = 'email' AND EXISTS (
        SELECT FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'unanswered' OFFSET 0
    ))
"""


def called_off(reason: str) -> str:
    """What is set of rows whose enrollment ended first, for the reason that this SQL gives."""
    return CALLED_OFF.format(in_doubt=IN_DOUBT, reason=reason)


#: An enrollment that is just being made needs the contact to stay (its foreign key): it is waited for, and then seen.
HOLD: Final = "SELECT FROM contacts WHERE id = %(contact)b FOR UPDATE"

#: Those that have not ended. One after the other, so that of two who end the same ones one waits for the other.
LEAVING: Final = f"""
SELECT e.id, e.status FROM enrollments e JOIN sequence_versions v
    ON v.workspace_id = %(workspace)b AND {look_up("v.id", "e.version_id")}
WHERE e.workspace_id = %(workspace)b AND e.contact_id = ANY(%(contacts)b::bigint[])
    AND {checked("e.status IN ('active', 'paused')")} AND (%(all)b OR v.definition -> 'exit_on' ? %(reason)b)
ORDER BY e.id + 0 FOR UPDATE OF e
"""
HOLD_ONE: Final = f"""
SELECT id FROM enrollments WHERE id = %(enrollment)b AND {checked("status IN ('active', 'paused')")} FOR UPDATE
"""

#: Waits for rows that are being begun (engine/outbox/begin.py): they are on their way when this is committed, and no
#: others. Before the end is noted, so that nothing is said to have been begun after it.
HOLD_ROWS: Final = f"""
SELECT FROM outbox WHERE enrollment_id = ANY(%(enrollments)b::bigint[])
    AND {checked("status IN ('waiting', 'pending', 'open')")}
ORDER BY id + 0 FOR UPDATE
"""

#: Of enrollments that are held.
END: Final = f"""
UPDATE enrollments SET status = 'cancelled', exit_reason = %(reason)b, cancelled_at = sequence_now(), paused_at = NULL
WHERE id = ANY(%(enrollments)b::bigint[]) AND {checked("status IN ('active', 'paused')")}
"""

#: In what words somebody's company is written, as far as it matters; there is an index of it.
COMPANY: Final = "lower(btrim(attributes ->> 'company'))"

COMPANY_OF: Final = f"SELECT {COMPANY} FROM contacts WHERE id = %(contact)b AND attributes ->> 'company' IS NOT NULL"

#: Two colleagues who reply at the same moment end each other's enrollments: one after the other.
HOLD_COMPANY: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%(company)b::text, %(workspace)b))"

COLLEAGUES: Final = f"""
SELECT id FROM contacts
WHERE workspace_id = %(workspace)b AND attributes ->> 'company' IS NOT NULL AND {COMPANY} = %(company)b::text
    AND id <> %(contact)b
"""

#: A statement of its own, so that it sees what was settled while those above were waiting.
CANCEL: Final = f"""
UPDATE outbox o SET {called_off("%(reason)b::text")}
WHERE o.enrollment_id = ANY(%(enrollments)b::bigint[]) AND {checked("o.status IN ('waiting', 'pending', 'open')")}
"""

#: Waits for whoever is ending the enrollment, who did not see the row while a worker held it.
RETURNED: Final = f"""
WITH late AS (
    SELECT o.id, e.exit_reason FROM outbox o JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")}
    WHERE o.id = ANY(%(rows)b::bigint[]) AND {checked("o.status = 'pending'")} FOR SHARE OF e
)
UPDATE outbox o SET {called_off("late.exit_reason")}
FROM late WHERE {look_up("o.id", "late.id")} AND late.exit_reason IS NOT NULL
"""


def leave(
    session: Session, workspace_id: int, contact_id: int, reason: str, *, only_where_asked: bool = False
) -> Sequence[int]:
    """End the contact's active and paused enrollments in the workspace, for the reason; give their ids.

    `only_where_asked`: those alone whose sequence names the reason in `exit_on`.
    """
    session.execute(HOLD, {"contact": contact_id}, binary=True)
    return _end(session, workspace_id, [contact_id], reason, everywhere=not only_where_asked)


def hold_company(session: Session, workspace_id: int, contact_id: int) -> str | None:
    """The contact's company, whose people leave nothing until the transaction ends but by it; None: there is none."""
    row = session.execute(COMPANY_OF, {"contact": contact_id}, binary=True).fetchone()
    if row is None or not row[0]:
        return None
    session.execute(HOLD_COMPANY, {"company": row[0], "workspace": workspace_id}, binary=True)
    return str(row[0])


def colleagues_leave(session: Session, workspace_id: int, contact_id: int, company: str, reason: str) -> Sequence[int]:
    """End the enrollments of the others of a company, where their sequence names the reason; give their ids."""
    rows = session.execute(
        COLLEAGUES, {"workspace": workspace_id, "contact": contact_id, "company": company}, binary=True
    )
    colleagues = [colleague for (colleague,) in rows]
    return _end(session, workspace_id, colleagues, reason, everywhere=False) if colleagues else []


def _end(
    session: Session, workspace_id: int, contacts: Sequence[int], reason: str, *, everywhere: bool
) -> Sequence[int]:
    rows = session.execute(
        LEAVING,
        {"workspace": workspace_id, "contacts": list(contacts), "reason": reason, "all": everywhere},
        binary=True,
    ).fetchall()
    enrollments = [enrollment_id for enrollment_id, _ in rows]
    if enrollments:
        end(session, enrollments, reason)
        note(session, workspace_id, EXIT_RULE, [Change(one, was, "cancelled", reason) for one, was in rows])
    return enrollments


def leave_one(session: Session, enrollment_id: int, reason: str) -> bool:
    """End one enrollment, for the reason; False: it has ended already."""
    held = session.execute(HOLD_ONE, {"enrollment": enrollment_id}, binary=True).fetchone()
    if held is not None:
        end(session, [enrollment_id], reason)
    return held is not None


def end(session: Session, enrollments: Sequence[int], reason: str) -> None:
    """End enrollments that this transaction holds, and call their rows off."""
    ending = {"enrollments": list(enrollments), "reason": reason}
    session.execute(HOLD_ROWS, ending, binary=True)
    session.execute(END, ending, binary=True)
    session.execute(CANCEL, ending, binary=True)


def cancel_returned(session: Session, rows: Sequence[int]) -> None:
    """Cancel those of the rows that went back to `pending` after their enrollment had ended."""
    if rows:
        session.execute(RETURNED, {"rows": list(rows)}, binary=True)
