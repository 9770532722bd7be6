"""All that is known of one contact."""

from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import dict_row

from engine.database import Session
from engine.errors import NotFound

#: Of each kind so many are shown, the newest.
SHOWN: Final = 10

CONTACT: Final = """
SELECT id, external_id, email, phone, first_name, last_name, timezone, attributes, tags, created_at, updated_at
FROM contacts WHERE id = %(contact)s
"""

BARRED: Final = """
SELECT s.channel, s.reason, s.note, s.created_at AS since, false AS person FROM suppressions s JOIN contacts c
    ON c.workspace_id = s.workspace_id AND s.address = CASE s.channel WHEN 'sms' THEN c.phone ELSE c.email_key END
WHERE c.id = %(contact)s
UNION ALL
SELECT channel, reason, NULL, created_at, true FROM contact_opt_outs WHERE contact_id = %(contact)s
UNION ALL
SELECT channel, 'a message may be an opt-out: `cadenza review`', NULL, created_at, true
FROM contact_holds WHERE contact_id = %(contact)s
ORDER BY since
"""

ENROLLMENTS: Final = """
SELECT e.id AS enrollment_id, s.key AS sequence, v.number AS version, e.status, e.exit_reason, e.enrolled_at
FROM enrollments e JOIN sequences s ON s.id = e.sequence_id JOIN sequence_versions v ON v.id = e.version_id
WHERE e.contact_id = %(contact)s ORDER BY e.id DESC LIMIT %(limit)s
"""

_MESSAGES: Final = """
SELECT a.started_at AS at, o.enrollment_id, o.step_key AS step, a.channel, a.recipient,
    coalesce(a.payload ->> 'body', a.payload ->> 'subject') AS text, a.outcome, a.provider_id,
    coalesce(a.error_code, o.error_code) AS error_code, a.detail, o.delivery_status AS delivery, a.outbox_id
FROM enrollments e JOIN {outbox} o ON o.enrollment_id = e.id{month} JOIN {attempts} a ON a.outbox_id = o.id{month_too}
WHERE e.contact_id = %(contact)s
"""

#: Of one contact, by its enrollments: a contact has few. Those of detached months are not here.
MESSAGES: Final = "".join(
    (
        "SELECT at, enrollment_id, step, channel, recipient, text, outcome, provider_id, error_code, detail, delivery",
        " FROM (",
        _MESSAGES.format(outbox="outbox", attempts="attempts", month="", month_too=""),
        "UNION ALL",
        _MESSAGES.format(
            outbox="archived_outbox",
            attempts="archived_attempts",
            month=" AND o.archived_month = e.archived_month",
            month_too=" AND a.archived_month = e.archived_month",
        ),
        ") AS message ORDER BY at DESC, outbox_id DESC LIMIT %(limit)s",
    )
)

EVENTS: Final = """
SELECT kind, status, payload ->> 'Body' AS text, occurred_at FROM events
WHERE workspace_id = %(workspace)s AND contact_id = %(contact)s ORDER BY id DESC LIMIT %(limit)s
"""


OBJECT: Final = "SELECT id, external_id, email, phone, first_name, last_name FROM contacts WHERE id = %s"


def contact_object(session: Session, contact_id: int) -> dict[str, Any]:
    """Return a contact as the JSON of every command has it.

    Raises:
        NotFound: there is no such contact.
    """
    with session.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(OBJECT, (contact_id,)).fetchone()
    if found is None:
        raise NotFound(f"no contact {contact_id}")
    return found


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact, with what concerns it. The newest come first."""

    contact: dict[str, Any]
    barred: list[dict[str, Any]]
    """Why nothing is sent to it, by channel. `person`: the reason holds for every address of the person."""
    enrollments: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    events: list[dict[str, Any]]


def view(session: Session, workspace_id: int, contact_id: int) -> ContactView:
    """Return all that is known of a contact.

    Raises:
        NotFound: there is none.
    """
    asked = {"contact": contact_id, "workspace": workspace_id, "limit": SHOWN}
    with session.cursor(row_factory=dict_row) as cursor:
        contact = cursor.execute(CONTACT, asked).fetchone()
        if contact is None:
            raise NotFound(f"no contact {contact_id}")
        return ContactView(
            contact,
            cursor.execute(BARRED, asked).fetchall(),
            cursor.execute(ENROLLMENTS, asked).fetchall(),
            cursor.execute(MESSAGES.encode(), asked).fetchall(),
            cursor.execute(EVENTS, asked).fetchall(),
        )
