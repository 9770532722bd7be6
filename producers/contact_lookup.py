"""Find a contact by what people know of it: its id, an email address, a phone number, or an id of theirs."""

from typing import Final

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from producers.emails import email_address
from producers.phones import e164
from producers.workspaces import Workspace

#: Before an id of another system.
EXTERNAL: Final = "external_id:"

#: By one key, each of which one contact of the workspace has at most.
FIND: Final = {
    "id": "SELECT id FROM contacts WHERE workspace_id = %s AND id = %s",
    "external_id": "SELECT id FROM contacts WHERE workspace_id = %s AND external_id = %s",
    "email": "SELECT id FROM contacts WHERE workspace_id = %s AND email_key = %s",
    "phone": "SELECT id FROM contacts WHERE workspace_id = %s AND phone = %s",
}


def find_contact(session: Session, workspace: Workspace, written: str) -> int:
    """Return the id of the contact that is meant by `EMAIL`, `PHONE`, `ID` or `external_id:X`.

    Digits alone are an id, and a phone number if no contact has that id.

    Raises:
        InvalidInput: it is none of these.
        NotFound: the workspace has no such contact.
    """
    for key, value in _readings(workspace, written.strip()):
        found = session.execute(FIND[key].encode(), (workspace.id, value)).fetchone()
        if found is not None:
            return int(found[0])
    raise NotFound(
        f"no contact {written!r} in workspace {workspace.key!r}: give an email address, a phone number, the contact's"
        f" id, or {EXTERNAL}YOURS"
    )


def _readings(workspace: Workspace, written: str) -> list[tuple[str, str | int]]:
    """Return the keys that it may be, each with its value; the likeliest first."""
    if written.startswith(EXTERNAL):
        return [("external_id", written.removeprefix(EXTERNAL))]
    if "@" in written:
        try:
            return [("email", email_address(written).casefold())]
        except ValueError as error:
            raise InvalidInput(f"email {written!r} {error}") from None
    by_id: list[tuple[str, str | int]] = []
    if written.isascii() and written.isdigit() and len(written) < 19:
        by_id.append(("id", int(written)))
    try:
        return [*by_id, ("phone", e164(written, workspace.region))]
    except ValueError as error:
        if by_id:
            return by_id
        raise InvalidInput(
            f"{written!r} is no contact: give an email address, a phone number, the contact's id, or {EXTERNAL}YOURS"
            f" (as a phone number it {error})"
        ) from None
