"""Find or make the contacts that people are (DESIGN.md section 9, "Who a contact is"): set-based."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from engine.database import Session
from producers.people import Person

Match: TypeAlias = "Identity | str"
"""The contact that a person is, or the reason why their keys contradict each other."""

LOOK_UP: Final = """
SELECT id, external_id, email_key, phone FROM contacts
WHERE workspace_id = %(workspace)b AND external_id = ANY(%(external_ids)b::text[])
UNION SELECT id, external_id, email_key, phone FROM contacts
WHERE workspace_id = %(workspace)b AND email_key = ANY(%(email_keys)b::text[])
UNION SELECT id, external_id, email_key, phone FROM contacts
WHERE workspace_id = %(workspace)b AND phone = ANY(%(phones)b::text[])
"""

#: A contact that somebody else makes at this moment is left out, and looked up in the next round.
MAKE: Final = """
INSERT INTO contacts
    (workspace_id, external_id, email, email_key, phone, first_name, last_name, timezone, attributes)
SELECT %(workspace)b, external_id, email, email_key, phone, first_name, last_name, timezone, attributes::jsonb
FROM unnest(
    %(external_ids)b::text[], %(emails)b::text[], %(email_keys)b::text[], %(phones)b::text[],
    %(first_names)b::text[], %(last_names)b::text[], %(timezones)b::text[], %(attributes)b::text[]
) AS person (external_id, email, email_key, phone, first_name, last_name, timezone, attributes)
ON CONFLICT DO NOTHING
RETURNING id, external_id, email_key, phone
"""

#: A known contact takes what is newer and not empty. Locked in the order of their ids, as by everybody else: two
#: files with the same people in another order would wait for each other.
REFRESH: Final = """
WITH person AS MATERIALIZED (
    SELECT * FROM unnest(
        %(ids)b::bigint[], %(external_ids)b::text[], %(emails)b::text[], %(email_keys)b::text[], %(phones)b::text[],
        %(first_names)b::text[], %(last_names)b::text[], %(timezones)b::text[], %(attributes)b::text[]
    ) AS person (id, external_id, email, email_key, phone, first_name, last_name, timezone, attributes)
),
changed AS MATERIALIZED (
    SELECT contacts.id FROM contacts JOIN person ON person.id = contacts.id
    WHERE (
        coalesce(person.external_id, contacts.external_id), coalesce(person.email, contacts.email),
        coalesce(person.phone, contacts.phone), coalesce(person.first_name, contacts.first_name),
        coalesce(person.last_name, contacts.last_name), coalesce(person.timezone, contacts.timezone),
        contacts.attributes || person.attributes::jsonb
    ) IS DISTINCT FROM (
        contacts.external_id, contacts.email, contacts.phone, contacts.first_name,
        contacts.last_name, contacts.timezone, contacts.attributes
    )
    ORDER BY contacts.id FOR NO KEY UPDATE OF contacts
)
UPDATE contacts SET
    external_id = coalesce(person.external_id, contacts.external_id),
    email = coalesce(person.email, contacts.email),
    email_key = coalesce(person.email_key, contacts.email_key),
    phone = coalesce(person.phone, contacts.phone),
    first_name = coalesce(person.first_name, contacts.first_name),
    last_name = coalesce(person.last_name, contacts.last_name),
    timezone = coalesce(person.timezone, contacts.timezone),
    attributes = contacts.attributes || person.attributes::jsonb,
    updated_at = clock_timestamp()
FROM changed JOIN person ON person.id = changed.id
WHERE contacts.id = changed.id
"""

#: What a contact has beside its attributes.
COLUMNS: Final = ("external_id", "email", "phone", "first_name", "last_name", "timezone")

#: The same, with what each of them was before and is now, by field.
REFRESH_TOLD: Final = "".join(
    (
        REFRESH.replace("SELECT contacts.id FROM contacts JOIN", "SELECT contacts.* FROM contacts JOIN"),
        "RETURNING contacts.id, to_jsonb(changed), to_jsonb(contacts)",
    )
)

#: What is told of a contact that was changed.
TOLD: Final = (*COLUMNS, "attributes")


@dataclass(slots=True, eq=False)
class Identity:
    """A contact, known or about to be made, and the keys it goes by."""

    contact_id: int | None
    external_id: str | None
    email_key: str | None
    phone: str | None
    person: Person | None = None
    """What the newest people said of it."""

    def __str__(self) -> str:
        """Name it for a person to read."""
        if self.contact_id is not None:
            return f"contact {self.contact_id}"
        return "the contact of an earlier line"


class Identities:
    """The contacts met so far, by each of their keys."""

    def __init__(self) -> None:
        """Know nobody."""
        self._by_external_id: dict[str, Identity] = {}
        self._by_email: dict[str, Identity] = {}
        self._by_phone: dict[str, Identity] = {}

    def add(self, identity: Identity) -> None:
        """Know a contact by its keys."""
        if identity.external_id is not None:
            self._by_external_id[identity.external_id] = identity
        if identity.email_key is not None:
            self._by_email[identity.email_key] = identity
        if identity.phone is not None:
            self._by_phone[identity.phone] = identity

    def match(self, person: Person) -> Match:
        """Find the contact that a person is; make one up for a person whom nobody knows."""
        by_external_id = self._by_external_id.get(person.external_id) if person.external_id else None
        by_email = self._by_email.get(person.email_key) if person.email_key else None
        by_phone = self._by_phone.get(person.phone) if person.phone else None
        identity = by_external_id or by_email or by_phone
        if identity is None:
            identity = Identity(None, person.external_id, person.email_key, person.phone)
        elif contradiction := _contradiction(person, identity, by_external_id, by_email, by_phone):
            return contradiction
        else:
            identity.external_id = person.external_id or identity.external_id
            identity.email_key = person.email_key or identity.email_key
            identity.phone = person.phone or identity.phone
        identity.person = person if identity.person is None else identity.person.refreshed(person)
        self.add(identity)
        return identity


@dataclass(frozen=True, slots=True)
class Contacts:
    """Who people are."""

    of_people: list[int | str]
    """For each person their contact, or why their keys contradict each other."""
    known: list[int]
    """Those that were there before: what is said of them may be new."""
    changes: dict[int, dict[str, tuple[Any, Any]]] = field(default_factory=dict)
    """What became of those, if it was asked for: by contact and field, before and after."""


def find_or_make_contacts(
    session: Session, workspace_id: int, people: Sequence[Person], *, with_changes: bool = False
) -> Contacts:
    """Return who they are; make contacts of those whom nobody knows. `with_changes`: say what changes of the others."""
    known = _look_up(session, workspace_id, people)
    matches = [known.match(person) for person in people]
    new = _distinct(match for match in matches if isinstance(match, Identity) and match.contact_id is None)
    if new and _make(session, workspace_id, new) < len(new):
        return find_or_make_contacts(session, workspace_id, people, with_changes=with_changes)
    new_ids = {id(identity) for identity in new}
    before = [i for i in _distinct(m for m in matches if isinstance(m, Identity)) if id(i) not in new_ids]
    changes = _refresh(session, before, with_changes=with_changes)
    return Contacts(
        [match if isinstance(match, str) else _made(match) for match in matches],
        [_made(one) for one in before],
        changes,
    )


def _contradiction(
    person: Person,
    identity: Identity,
    by_external_id: Identity | None,
    by_email: Identity | None,
    by_phone: Identity | None,
) -> str | None:
    if by_email is not None and by_email is not identity:
        return f"external_id {person.external_id!r} is {identity}, but email {person.email!r} is {by_email}"
    if by_phone is not None and by_phone is not identity:
        key = f"external_id {person.external_id!r}" if by_external_id else f"email {person.email!r}"
        return f"{key} is {identity}, but phone {person.phone!r} is {by_phone}"
    key = f"email {person.email!r}" if by_email else f"phone {person.phone!r}"
    if person.external_id and by_external_id is None and identity.external_id is not None:
        return f"{key} is {identity}, whose external_id is {identity.external_id!r}, not {person.external_id!r}"
    if person.email_key and by_external_id is None and by_email is None and identity.email_key is not None:
        return f"{key} is {identity}, whose email is {identity.email_key!r}, not {person.email!r}"
    return None


def _look_up(session: Session, workspace_id: int, people: Sequence[Person]) -> Identities:
    known = Identities()
    rows = session.execute(
        LOOK_UP,
        {
            "workspace": workspace_id,
            "external_ids": [person.external_id for person in people if person.external_id],
            "email_keys": [person.email_key for person in people if person.email_key],
            "phones": [person.phone for person in people if person.phone],
        },
        binary=True,
    )
    for row in rows:
        known.add(Identity(*row))
    return known


def _make(session: Session, workspace_id: int, new: Sequence[Identity]) -> int:
    """Make the contacts and note their ids; tell how many were made.

    In the order of their keys, so that of two files with the same people neither waits for the other's end in a ring.
    """
    in_order = sorted(new, key=lambda one: (one.external_id or "", one.email_key or "", one.phone or ""))
    rows = session.execute(MAKE, {"workspace": workspace_id, **_columns(in_order)}, binary=True).fetchall()
    made = Identities()
    for row in rows:
        made.add(Identity(*row))
    for identity in new:
        match = made.match(identity.person) if identity.person else None
        if isinstance(match, Identity):
            identity.contact_id = match.contact_id
    return len(rows)


def _refresh(
    session: Session, known: Sequence[Identity], *, with_changes: bool
) -> dict[int, dict[str, tuple[Any, Any]]]:
    if not known:
        return {}
    asked = {"ids": [_made(identity) for identity in known], **_columns(known)}
    if not with_changes:
        session.execute(REFRESH, asked, binary=True)
        return {}
    return {
        contact_id: {name: (was[name], now[name]) for name in TOLD if was[name] != now[name]}
        for contact_id, was, now in session.execute(REFRESH_TOLD, asked, binary=True)
    }


def _columns(identities: Sequence[Identity]) -> dict[str, list[str | None]]:
    people = [identity.person for identity in identities if identity.person is not None]
    return {
        "external_ids": [person.external_id for person in people],
        "emails": [person.email for person in people],
        "email_keys": [person.email_key for person in people],
        "phones": [person.phone for person in people],
        "first_names": [person.first_name for person in people],
        "last_names": [person.last_name for person in people],
        "timezones": [person.timezone for person in people],
        "attributes": [json.dumps(person.attributes) if person.attributes else "{}" for person in people],
    }


def _distinct(identities: Iterable[Identity]) -> list[Identity]:
    return list({id(identity): identity for identity in identities}.values())


def _made(identity: Identity) -> int:
    if identity.contact_id is None:
        raise LookupError("a contact was neither found nor made")
    return identity.contact_id
