"""Erase the personal data of a contact. It is one transaction, and is in the history."""

from typing import Final

from engine.database import Session
from engine.errors import InvalidInput
from engine.outbox.cold_months import MonthState, state_of
from engine.outbox.leave_many import leave_many
from engine.outbox.suppressing import STRONGEST_STAYS
from producers.contact_rows import hold, require_quiet, running_enrollments
from producers.operator import Operator
from producers.workspaces import Workspace
from schema.counted import counted

#: The exit reason of enrollments that end because their contact is erased. It also stands instead of what was personal.
ERASED: Final = "erased"

DOUBTFUL: Final = "SELECT FROM contact_holds WHERE contact_id = %s LIMIT 1"

DETACHED: Final = """
SELECT DISTINCT m.month FROM enrollments e
JOIN archive_months m ON m.month = e.archived_month AND m.detached_at IS NOT NULL
WHERE e.contact_id = %s ORDER BY m.month
"""

#: The personal data in a contact's past. Rows, outcomes and Message-IDs stay, so counts and the audit stay correct.
ERASE: Final = (
    """
    UPDATE attempt_records a SET recipient = %(erased)s, detail = NULL,
        payload = jsonb_strip_nulls(jsonb_build_object('message_id', a.payload -> 'message_id'))
    FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id WHERE a.outbox_id = o.id AND e.contact_id = %(contact)s
    """,
    """
    UPDATE archived_attempts a SET recipient = %(erased)s, detail = NULL,
        payload = jsonb_strip_nulls(jsonb_build_object('message_id', a.payload -> 'message_id'))
    FROM archived_outbox o JOIN enrollments e ON e.id = o.enrollment_id AND e.archived_month = o.archived_month
    WHERE a.outbox_id = o.id AND a.archived_month = o.archived_month AND e.contact_id = %(contact)s
    """,
    """
    UPDATE tasks t SET name = %(erased)s, description = NULL, note = NULL FROM enrollments e
    WHERE t.enrollment_id = e.id AND e.contact_id = %(contact)s
    """,
    """
    DELETE FROM undelivered u USING contacts c
    WHERE c.id = %(contact)s AND u.workspace_id = c.workspace_id AND u.address = c.phone
    """,
    "UPDATE events SET payload = '{}' WHERE contact_id = %(contact)s",
    "UPDATE enrollments SET data = '{}' WHERE contact_id = %(contact)s",
    f"""
    INSERT INTO suppressions (workspace_id, channel, address, reason)
    SELECT c.workspace_id, gone.channel, CASE gone.channel WHEN 'sms' THEN c.phone ELSE c.email_key END, gone.reason
    FROM contact_opt_outs gone JOIN contacts c ON c.id = gone.contact_id
    WHERE c.id = %(contact)s AND CASE gone.channel WHEN 'sms' THEN c.phone ELSE c.email_key END IS NOT NULL
    {STRONGEST_STAYS}
    """,  # noqa: S608 (composed of our own constants)
    """
    UPDATE contacts SET external_id = 'erased-' || id || CASE WHEN EXISTS (
            SELECT FROM contacts taken
            WHERE taken.workspace_id = contacts.workspace_id AND taken.external_id = 'erased-' || contacts.id
                AND taken.id <> contacts.id
        ) THEN '-' || gen_random_uuid() ELSE '' END,
        email = NULL, email_key = NULL, phone = NULL, first_name = NULL,
        last_name = NULL, timezone = NULL, attributes = '{}', tags = '{}', updated_at = clock_timestamp()
    WHERE id = %(contact)s
    """,
)


def erase(session: Session, workspace: Workspace, operator: Operator, contact_id: int, *, end: bool) -> list[int]:
    """Erase the personal data of a contact. Addresses that were barred stay barred.

    `end`: cancel the running enrollments first. Return the enrollments that were cancelled.

    Raises:
        InvalidInput: an enrollment runs and `end` is false; a message is on its way; messages are in a detached
            archive; or a message from the contact may be an opt-out, and nobody has decided it.
        NotFound: there is no such contact.
    """
    hold(session, [contact_id])
    if session.execute(DOUBTFUL, (contact_id,)).fetchone() is not None:
        raise InvalidInput(f"contact {contact_id} wrote what may be an opt-out: decide it first, see `cadenza review`")
    _require_readable(session, contact_id)
    running = running_enrollments(session, contact_id)
    if running and not end:
        raise InvalidInput(
            f"contact {contact_id} is in {counted(len(running), 'running enrollment')}"
            f" ({', '.join(map(str, running[:5]))}): cancel them first, or add --erase to end them"
        )
    require_quiet(session, contact_id)
    leave_many(session, workspace.id, running, ERASED, operator.name, operator.reason)
    for statement in ERASE:
        session.execute(statement.encode(), {"contact": contact_id, "erased": ERASED})
    operator.note(session, workspace.id, "contact erased", f"contact {contact_id}")
    return running


def _require_readable(session: Session, contact_id: int) -> None:
    """Raise InvalidInput if messages to the contact are in tables of detached months. Dropped tables hold nothing."""
    for (month,) in session.execute(DETACHED, (contact_id,)):
        if state_of(session, month) is MonthState.DETACHED:
            raise InvalidInput(
                f"messages to contact {contact_id} are archived, and {month:%Y-%m} is detached: attach it first, so"
                f" that they are erased too (`cadenza archives attach {month:%Y-%m}`)"
            )
