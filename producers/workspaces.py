"""Workspaces: the tenants."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, LiteralString, TypeAlias

import phonenumbers
from psycopg.errors import UniqueViolation

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.rules.opt_out import check_opt_out_word
from producers.suppressions import Scope
from producers.time_zones import time_zone
from producers.unknown import unknown
from producers.workspace_mail import Mail, mail_columns
from schema.definition.quiet_hours import read_quiet_setting
from schema.definition.senders import Guarantee

Doubtful: TypeAlias = Literal["hold", "go-on"]

KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

COLUMNS: Final[LiteralString] = (
    "id, key, public_id, name, timezone, region, max_tries, sender_name, email_from, quiet_hours, holidays,"
    " opt_out_scope, doubtful, opt_out_words, reply_to, cc, headers, smtp_guarantee"
)

#: The table has the defaults of what is not said here.
ADD: Final = "INSERT INTO workspaces (key, name, timezone, region) VALUES (%s, %s, %s, %s)"
ADD_WITH_QUIET_HOURS: Final = (
    "INSERT INTO workspaces (key, name, timezone, region, quiet_hours) VALUES (%s, %s, %s, %s, %s)"
)

CHANGE: Final[LiteralString] = """
UPDATE workspaces SET name = coalesce(%(name)s, name), timezone = coalesce(%(timezone)s, timezone),
    region = coalesce(%(region)s, region), quiet_hours = coalesce(%(quiet_hours)s, quiet_hours),
    holidays = coalesce(%(holidays)s::date[], holidays), opt_out_scope = coalesce(%(opt_out_scope)s, opt_out_scope),
    doubtful = coalesce(%(doubtful)s, doubtful), opt_out_words = coalesce(%(opt_out_words)s::text[], opt_out_words),
    reply_to = nullif(coalesce(%(reply_to)s, reply_to), ''), cc = coalesce(%(cc)s::text[], cc),
    headers = coalesce(%(headers)s::jsonb, headers),
    email_from = nullif(coalesce(%(email_from)s, email_from), ''),
    sender_name = nullif(coalesce(%(sender_name)s, sender_name), ''),
    max_tries = coalesce(%(max_tries)s, max_tries),
    smtp_guarantee = nullif(coalesce(%(guarantee)s, smtp_guarantee), '')
WHERE key = %(key)s
"""


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
    quiet_hours: str
    """Of SMS: `20:00-09:00`, `20:00-09:00, sun 20:00-12:00`, or `off`; `, strict` behind: those of the law too."""
    holidays: list[date]
    """Its own, beside those of the countries that a window names."""
    opt_out_scope: Scope
    """Whether an opt-out bars the channel on which it came, or all channels."""
    doubtful: Doubtful
    """What happens to a contact whose message may be an opt-out, until an operator decides."""
    opt_out_words: list[str]
    """Its own, beside those of each language."""
    reply_to: str | None
    """Of its email, a template; None: answers go to the sender."""
    cc: list[str]
    """Of its email, templates."""
    headers: dict[str, str]
    """Of its email, beside those that every email has."""
    smtp_guarantee: Guarantee | None
    """None: CADENZA_SMTP_GUARANTEE."""


def add(
    session: Session,
    key: str,
    name: str | None = None,
    timezone: str | None = None,
    region: str | None = None,
    quiet_hours: str | None = None,
) -> Workspace:
    """Make a workspace; its name is the key, its time zone UTC and its region US unless told otherwise.

    SMS have quiet hours from 20:00 to 09:00 unless told otherwise.

    Raises:
        InvalidInput: there is one with that key, or a value can't be used.
    """
    if not KEY.fullmatch(key):
        raise InvalidInput(
            f"{key!r} can't be the key of a workspace: lower-case letters, digits, - and _, at most 63,"
            " the first a letter or digit"
        )
    _check_name(name)
    timezone = "UTC" if timezone is None else _timezone(timezone)
    region = "US" if region is None else _region(region)
    given = (key, name or key, timezone, region)
    hours = None if quiet_hours is None else _quiet_hours(quiet_hours)
    try:
        with session.transaction():
            if hours is None:
                session.execute(ADD, given)
            else:
                session.execute(ADD_WITH_QUIET_HOURS, (*given, hours))
    except UniqueViolation:
        raise InvalidInput(f"there is a workspace {key!r} already") from None
    return find_workspace(session, key)


def change(
    session: Session,
    key: str,
    *,
    name: str | None = None,
    timezone: str | None = None,
    region: str | None = None,
    quiet_hours: str | None = None,
    holidays: Sequence[str] | None = None,
    opt_out_scope: Scope | None = None,
    doubtful: Doubtful | None = None,
    opt_out_words: Sequence[str] | None = None,
    mail: Mail | None = None,
) -> Workspace:
    """Change what is given of a workspace. Steps that are planned keep their times; quiet hours hold for all at once.

    Raises:
        NotFound: there is no such workspace.
        InvalidInput: a value can't be used.
    """
    find_workspace(session, key)
    _check_name(name)
    given = {
        "key": key,
        "name": name,
        "timezone": None if timezone is None else _timezone(timezone),
        "region": None if region is None else _region(region),
        "quiet_hours": None if quiet_hours is None else _quiet_hours(quiet_hours),
        "holidays": None if holidays is None else _holidays(holidays),
        "opt_out_scope": opt_out_scope,
        "doubtful": doubtful,
        "opt_out_words": None if opt_out_words is None else _opt_out_words(opt_out_words),
        **mail_columns(mail or Mail()),
    }
    session.execute(CHANGE, given)
    return find_workspace(session, key)


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


def _check_name(name: str | None) -> None:
    if name is not None and not (name.strip() and name.isprintable() and len(name) <= 200):
        raise InvalidInput("the name of a workspace is 1 to 200 printable characters")


def _quiet_hours(text: str) -> str:
    """Return quiet hours as they are stored."""
    try:
        return str(read_quiet_setting(text))
    except ValueError as error:
        raise InvalidInput(f"{text!r} can't be quiet hours: {error}") from None


def _holidays(dates: Sequence[str]) -> list[date]:
    try:
        return sorted({date.fromisoformat(day.strip()) for day in dates})
    except ValueError:
        raise InvalidInput(f"{', '.join(dates)!r} can't be holidays: expected dates, such as 2026-12-24") from None


def _opt_out_words(words: Sequence[str]) -> list[str]:
    """Return the words without spaces at their ends, each once."""
    words = list(dict.fromkeys(word.strip() for word in words))
    for word in words:
        try:
            check_opt_out_word(word)
        except ValueError as error:
            raise InvalidInput(f"{word!r} can't be an opt-out word: {error}") from None
    return words


def _timezone(name: str) -> str:
    """Return the IANA name of a zone as people write it."""
    try:
        return time_zone(name)
    except ValueError as error:
        raise InvalidInput(f"unknown time zone: {name!r} {error}") from None


def _region(code: str) -> str:
    known: set[str] = phonenumbers.SUPPORTED_REGIONS
    if code.strip().upper() not in known:
        raise InvalidInput(f"unknown region {code!r}: expected an ISO 3166 code of two letters, such as US, GB or FR")
    return code.strip().upper()
