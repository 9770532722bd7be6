"""The rows of contacts that are corrected, merged or erased, held until the transaction ends."""

from collections.abc import Sequence
from typing import Any, Final

from engine.database import Session
from engine.errors import InvalidInput, NotFound

HOLD: Final = """
SELECT id, external_id, email, email_key, phone, first_name, last_name, timezone, attributes FROM contacts
WHERE id = ANY(%s) ORDER BY id FOR UPDATE
"""

SET: Final = """
UPDATE contacts SET external_id = %(external_id)s, email = %(email)s, email_key = %(email_key)s, phone = %(phone)s,
    first_name = %(first_name)s, last_name = %(last_name)s, timezone = %(timezone)s,
    attributes = %(attributes)s::jsonb, updated_at = clock_timestamp()
WHERE id = %(id)s
"""

RUNNING: Final = "SELECT id FROM enrollments WHERE contact_id = %s AND status IN ('active', 'paused') ORDER BY id"

SENDING: Final = """
SELECT count(*) FROM enrollments e JOIN outbox o ON o.enrollment_id = e.id
WHERE e.contact_id = %s AND o.status = 'sending'
"""


def hold(session: Session, contacts: Sequence[int]) -> list[dict[str, Any]]:
    """Hold contacts until the transaction ends, in the order of their ids."""
    cursor = session.execute(HOLD, (list(contacts),))
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if missing := sorted(set(contacts) - {row["id"] for row in rows}):
        raise NotFound(f"no contact {missing[0]}")
    return rows


def require_quiet(session: Session, contact_id: int) -> None:
    row = session.execute(SENDING, (contact_id,)).fetchone()
    if row is not None and row[0]:
        raise InvalidInput(f"a message to contact {contact_id} is on its way: try again in a minute")


def running_enrollments(session: Session, contact_id: int) -> list[int]:
    """Return the enrollments of a contact that are active or paused, in the order of their ids."""
    return [one for (one,) in session.execute(RUNNING, (contact_id,))]
