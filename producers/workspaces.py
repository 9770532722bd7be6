"""Workspaces: the tenants."""

import re
from dataclasses import dataclass
from typing import Final, LiteralString
from zoneinfo import available_timezones

import phonenumbers
from psycopg.errors import UniqueViolation

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from producers.unknown import unknown
from schema.definition import did_you_mean

KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

COLUMNS: Final[LiteralString] = "id, key, public_id, name, timezone, region, max_tries, sender_name, email_from"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant: contacts, sequences and all else belong to one."""

    id: int
    key: str
    public_id: str
    """Opaque: stands for it in URLs and Message-IDs."""
    name: str
    timezone: str
    """IANA name."""
    region: str
    """ISO 3166 code, for national phone numbers."""
    max_tries: int
    sender_name: str | None
    email_from: str | None


def add(
    session: Session, key: str, name: str | None = None, timezone: str | None = None, region: str | None = None
) -> Workspace:
    """Make a workspace; its name is the key, its time zone UTC and its region US unless told otherwise.

    Raises:
        InvalidInput: there is one with that key, or a value can't be used.
    """
    if not KEY.fullmatch(key):
        raise InvalidInput(
            f"{key!r} can't be the key of a workspace: lower-case letters, digits, - and _, at most 63,"
            " the first a letter or digit"
        )
    if name is not None and not (name.strip() and name.isprintable() and len(name) <= 200):
        raise InvalidInput("the name of a workspace is 1 to 200 printable characters")
    timezone = "UTC" if timezone is None else _timezone(timezone)
    region = "US" if region is None else _region(region)
    try:
        with session.transaction():
            row = session.execute(
                f"INSERT INTO workspaces (key, name, timezone, region) VALUES (%s, %s, %s, %s) RETURNING {COLUMNS}",  # noqa: S608
                (key, name or key, timezone, region),
            ).fetchone()
    except UniqueViolation:
        raise InvalidInput(f"there is a workspace {key!r} already") from None
    assert row is not None  # noqa: S101 (an INSERT ... RETURNING that raises nothing has a row)
    return Workspace(*row)


def list_workspaces(session: Session) -> list[Workspace]:
    """All workspaces, by key."""
    rows = session.execute(f"SELECT {COLUMNS} FROM workspaces ORDER BY key")  # noqa: S608
    return [Workspace(*row) for row in rows]


def find_workspace(session: Session, key: str) -> Workspace:
    """Find a workspace by its key.

    Raises:
        NotFound: there is none; the message says which there are.
    """
    row = None
    if KEY.fullmatch(key):
        row = session.execute(f"SELECT {COLUMNS} FROM workspaces WHERE key = %s", (key,)).fetchone()  # noqa: S608
    if row is None:
        keys = [workspace.key for workspace in list_workspaces(session)]
        raise NotFound(unknown("workspace", key, keys, "make one with `cadenza workspace add KEY`"))
    return Workspace(*row)


def _timezone(name: str) -> str:
    """The IANA name, as it is spelt there."""
    known = available_timezones()
    spelt = {zone.lower(): zone for zone in known}.get(name.strip().lower())
    if spelt is None:
        hint = did_you_mean(name, known)
        raise InvalidInput(f"unknown time zone {name!r}{hint}: expected an IANA name, such as Europe/Paris")
    return spelt


def _region(code: str) -> str:
    known: set[str] = phonenumbers.SUPPORTED_REGIONS
    if code.strip().upper() not in known:
        raise InvalidInput(f"unknown region {code!r}: expected an ISO 3166 code of two letters, such as US, GB or FR")
    return code.strip().upper()
