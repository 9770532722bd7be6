"""Find a contact by what people know of it: its id, an email address, a phone number, or an id of theirs."""

from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from producers.emails import email_address
from producers.phones import e164
from producers.workspaces import Workspace

#: Before an id of another system.
EXTERNAL: Final = "external_id:"

FIND: Final = """
SELECT id FROM contacts WHERE workspace_id = %(workspace)s AND (
    %(id)s::bigint IS NOT NULL AND id = %(id)s OR %(external_id)s::text IS NOT NULL AND external_id = %(external_id)s
    OR %(email)s::text IS NOT NULL AND email_key = %(email)s OR %(phone)s::text IS NOT NULL AND phone = %(phone)s
) ORDER BY id LIMIT 2
"""


@dataclass(frozen=True, slots=True)
class _Keys:
    id: int | None = None
    external_id: str | None = None
    email: str | None = None
    phone: str | None = None


def find_contact(session: Session, workspace: Workspace, written: str) -> int:
    """Return the id of the contact that is meant by `EMAIL`, `PHONE`, `ID` or `external_id:X`.

    Digits alone are an id, and a phone number if no contact has that id.

    Raises:
        InvalidInput: it is none of these.
        NotFound: the workspace has no such contact.
    """
    for keys in _readings(workspace, written.strip()):
        asked = {
            "workspace": workspace.id,
            "id": keys.id,
            "external_id": keys.external_id,
            "email": keys.email,
            "phone": keys.phone,
        }
        found = session.execute(FIND, asked).fetchall()
        if found:
            return int(found[0][0])
    raise NotFound(
        f"no contact {written!r} in workspace {workspace.key!r}: give an email address, a phone number, the contact's"
        f" id, or {EXTERNAL}YOURS"
    )


def _readings(workspace: Workspace, written: str) -> list[_Keys]:
    if written.startswith(EXTERNAL):
        return [_Keys(external_id=written.removeprefix(EXTERNAL))]
    if "@" in written:
        try:
            return [_Keys(email=email_address(written).casefold())]
        except ValueError as error:
            raise InvalidInput(f"email {written!r} {error}") from None
    by_id = [_Keys(id=int(written))] if written.isascii() and written.isdigit() and len(written) < 19 else []
    try:
        return [*by_id, _Keys(phone=e164(written, workspace.region))]
    except ValueError as error:
        if by_id:
            return by_id
        raise InvalidInput(
            f"{written!r} is no contact: give an email address, a phone number, the contact's id, or {EXTERNAL}YOURS"
            f" (as a phone number it {error})"
        ) from None
