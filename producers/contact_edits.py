"""Correct contacts. Each correction is one transaction, and is in the history."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from engine.database import Session
from engine.errors import InvalidInput
from engine.outbox.decide import heed
from engine.wakeups import Due
from producers.contact_rows import SET, hold
from producers.contacts import COLUMNS, TOLD
from producers.emails import email_address
from producers.fields import NotStorableError, json_of
from producers.operator import Operator
from producers.phones import e164
from producers.time_zones import time_zone
from producers.workspaces import Workspace

OWNER: Final = """
SELECT id FROM contacts WHERE workspace_id = %(workspace)s AND id <> %(id)s
    AND (external_id = %(external_id)s OR email_key = %(email_key)s OR phone = %(phone)s) LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """The changes to a contact. None leaves a value as it is; an empty text removes it."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    timezone: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    unset: Sequence[str] = ()
    """Attributes to remove."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What was changed."""

    contact_id: int
    changes: dict[str, tuple[Any, Any]]
    """By field: before and after."""
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT."""


def edit(
    session: Session, workspace: Workspace, operator: Operator, contact_id: int, wanted: Edit, now: float
) -> Edited:
    """Change a contact. Planned steps keep their times. Waits and goals that ask for an attribute are decided again.

    Raises:
        InvalidInput: a value can't be used, or another contact has the key: the message names it.
        NotFound: there is no such contact.
    """
    (before,) = hold(session, [contact_id])
    after = {**before, **_read(workspace, wanted)}
    after["attributes"] = {**before["attributes"], **_attributes(wanted)}
    for name in wanted.unset:
        if after["attributes"].pop(name.removeprefix("custom."), None) is None:
            raise InvalidInput(f"contact {contact_id} has no attribute {name!r}")
    after["email_key"] = None if after["email"] is None else after["email"].casefold()
    if all(after[key] is None for key in ("external_id", "email", "phone")):
        raise InvalidInput("a contact needs an external_id, an email or a phone")
    changes = {name: (before[name], after[name]) for name in TOLD if before[name] != after[name]}
    if not changes:
        return Edited(contact_id, {})
    try:
        with session.transaction():
            session.execute(SET, {**after, "attributes": json.dumps(after["attributes"])})
    except psycopg.errors.UniqueViolation:
        row = session.execute(OWNER, {**after, "workspace": workspace.id}).fetchone()
        raise InvalidInput(
            f"contact {'another' if row is None else row[0]} has that key already: `cadenza contact merge` makes one of"
            " the two"
        ) from None
    operator.note(session, workspace.id, "contact changed", f"contact {contact_id}: {', '.join(changes)}")
    return Edited(contact_id, changes, heed(session, contact_id, now))


def _read(workspace: Workspace, wanted: Edit) -> dict[str, str | None]:
    """Return the values that are to be set, as they are stored."""
    readers = {
        "email": email_address,
        "phone": lambda text: e164(text, workspace.region),
        "timezone": time_zone,
    }
    read: dict[str, str | None] = {}
    for name in COLUMNS:
        text = getattr(wanted, name)
        if text is None:
            continue
        try:
            read[name] = (readers[name](text) if name in readers else text.strip()) if text.strip() else None
        except ValueError as error:
            raise InvalidInput(f"{name} {text!r} {error}") from None
    return read


def _attributes(wanted: Edit) -> dict[str, Any]:
    given = {name.removeprefix("custom."): value for name, value in wanted.attributes.items()}
    try:
        return dict(json.loads(json_of("attributes", given)))
    except NotStorableError as error:
        raise InvalidInput(str(error)) from None
