"""People as a file or an event names them, checked and normalised."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from engine.errors import InvalidInput
from producers.emails import email_address
from producers.fields import CONTROLS, NotStorableError, sorted_out
from producers.phones import e164
from producers.time_zones import time_zone

#: What a contact is made of; whatever else is given becomes an attribute, `custom.NAME` in templates.
COLUMNS: Final = ("external_id", "email", "phone", "first_name", "last_name", "timezone")

#: The columns that name a contact (DESIGN.md section 9, "Who a contact is").
KEYS: Final = ("external_id", "email", "phone")

#: Columns in which a spreadsheet's apostrophe, which marks a value as text, is no part of the value.
_NEVER_QUOTED: Final = ("external_id", "email", "phone", "timezone")

#: Characters: an index of Postgres must hold it (a third of a page).
MAX_EXTERNAL_ID: Final = 255

_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")

_WHY_NEEDED: Final = {"email": "the sequence sends email", "phone": "the sequence sends SMS"}


class PersonRejected(InvalidInput):
    """This can't be a contact of the sequence; the reason says which column, what is wrong and how to mend it."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to be a contact: at least one of `external_id`, `email` and `phone` is there."""

    external_id: str | None
    email: str | None
    """ASCII, the domain in lower case."""
    email_key: str | None
    """The email case-folded: what it is matched by."""
    phone: str | None
    """E.164."""
    first_name: str | None
    last_name: str | None
    timezone: str | None
    """IANA name."""
    attributes: dict[str, object]
    """JSON values by name."""

    def refreshed(self, newer: "Person") -> "Person":
        """Take over what the newer one has."""
        return Person(
            newer.external_id or self.external_id,
            newer.email or self.email,
            newer.email_key or self.email_key,
            newer.phone or self.phone,
            newer.first_name or self.first_name,
            newer.last_name or self.last_name,
            newer.timezone or self.timezone,
            {**self.attributes, **newer.attributes},
        )


def person(fields: Mapping[str, object], *, region: str, needs: frozenset[str]) -> tuple[Person, list[str]]:
    """Check and normalise; `region` reads national phone numbers, `needs` is what the sequence can't do without.

    Also gives a warning for each invalid value that was left out because it isn't needed; it begins with the column.

    Raises:
        PersonRejected: a value that is needed is missing or invalid, there is no key, or it can't be stored.
    """
    try:
        given, attributes = sorted_out(fields, COLUMNS)
    except NotStorableError as error:
        raise PersonRejected(str(error)) from None
    for column in _NEVER_QUOTED:
        if given.get(column, "").startswith("'"):
            given[column] = given[column][1:].lstrip()
    given = {column: value for column, value in given.items() if value}
    warnings: list[str] = []
    check = partial(_checked, given, needs, warnings)
    email = check("email", email_address)
    phone = check("phone", lambda value: e164(value, region))
    external_id = _external_id(given.get("external_id"))
    if email is None and phone is None and external_id is None:
        raise PersonRejected("; ".join([*warnings, "no external_id, email or phone: give at least one of them"]))
    somebody = Person(
        external_id,
        email,
        email.casefold() if email is not None else None,
        phone,
        _name(given.get("first_name")),
        _name(given.get("last_name")),
        check("timezone", time_zone),
        attributes,
    )
    return somebody, warnings


def shown(value: str) -> str:
    """A value for a message: in quotes, shortened, control characters visible."""
    return repr(value if len(value) <= 80 else f"{value[:77]}...")


def _checked(
    given: Mapping[str, str], needs: frozenset[str], warnings: list[str], column: str, read: Callable[[str], str]
) -> str | None:
    value = given.get(column)
    if value is None:
        if column in needs:
            raise PersonRejected(f"{column} is missing: {_WHY_NEEDED[column]}, so every contact needs one")
        return None
    try:
        return read(value)
    except ValueError as error:
        problem = f"{column} {shown(value)} {error}"
        if column in needs:
            raise PersonRejected(problem) from None
        warnings.append(f"{problem}; left out")
        return None


def _external_id(value: str | None) -> str | None:
    if value is None:
        return None
    if CONTROLS.search(value):
        raise PersonRejected(f"external_id {shown(value)} contains a control character: remove it")
    if len(value) > MAX_EXTERNAL_ID:
        raise PersonRejected(f"external_id is longer than {MAX_EXTERNAL_ID} characters: shorten it")
    return value


def _name(value: str | None) -> str | None:
    """A name on one line, without control characters."""
    if value is None or value.isprintable():
        return value
    return CONTROLS.sub("", _BREAKS.sub(" ", value)).strip() or None
