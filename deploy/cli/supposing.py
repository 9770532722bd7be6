"""What `cadenza simulate` is told to suppose: the contact, what is heard, what gates come to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from engine.errors import InvalidInput
from engine.rules.calendar import Hours
from engine.rules.dates import ContactDates
from engine.rules.facts import Signal
from engine.rules.program import Program
from producers.emails import email_address
from producers.fields import CUSTOM
from producers.phones import e164
from producers.time_zones import time_zone
from schema.definition import Definition, parse_duration
from schema.definition.quiet_hours import read_quiet_setting
from schema.states import SignalKind

OWN: Final = ("external_id", "email", "phone", "first_name", "last_name", "timezone")

EVENT: Final = "write KIND@DELAY, KIND:STEP@DELAY or custom:NAME@DELAY, as in opened:welcome@2 hours"


@dataclass(frozen=True, slots=True)
class Supposed:
    """A contact."""

    phone: str | None
    timezone: str | None
    attributes: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)
    """Its fields, as they were written."""


def contact_of(text: str | None, definition: Definition) -> Supposed:
    """The contact that a JSON object tells of; without one somebody who has all that the sequence needs.

    Raises:
        InvalidInput: it is none, or lacks what the sequence needs.
    """
    if text is None:
        return Supposed(None, None, {})
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f'--contact is no JSON ({error}): write {{"phone": "+12025550123"}}') from None
    if not isinstance(given, dict):
        raise InvalidInput('--contact: expected a JSON object: {"phone": "+12025550123"}')
    for needed in sorted(definition.needs):
        if not given.get(needed):
            raise InvalidInput(f"--contact lacks {needed}, which {definition.sequence} needs")
    region = str(given.get("region", "US"))
    phone = _address("phone", given.get("phone"), lambda written: e164(written, region))
    _address("email", given.get("email"), email_address)
    timezone = _zone(str(given["timezone"]), "--contact: timezone") if given.get("timezone") else None
    attributes = {name.removeprefix(CUSTOM): value for name, value in given.items() if name not in OWN}
    if required := [date for date in ContactDates(definition).unread(attributes) if date.required]:
        raise InvalidInput(f"--contact: {'; '.join(map(str, required))}")
    return Supposed(phone, timezone, attributes, {name: given[name] for name in OWN if given.get(name)})


def _address(name: str, written: object, read: Callable[[str], str]) -> str | None:
    """Return a key of the contact as enrollment reads it.

    Raises:
        InvalidInput: it can't be read; the message names the field.
    """
    if not written:
        return None
    try:
        return read(str(written))
    except ValueError as error:
        raise InvalidInput(f"--contact: {name} {written!r} {error}") from None


def hours_of(timezone: str, quiet_hours: str) -> Hours:
    """What the workspace says.

    Raises:
        InvalidInput: there is no such zone, or these are no hours.
    """
    timezone = _zone(timezone, "--timezone")
    try:
        setting = read_quiet_setting(quiet_hours)
    except ValueError as error:
        raise InvalidInput(f"--quiet-hours: {quiet_hours!r} can't be quiet hours: {error}") from None
    return Hours(timezone, str(setting))


def start_of(text: str | None) -> datetime:
    """When the enrollment begins; a time without a zone is in UTC.

    Raises:
        InvalidInput: it is no time.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"--start: {text!r} is no time: write it as in 2026-01-31T09:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def signals_of(texts: Sequence[str], definition: Definition, started: datetime) -> list[Signal]:
    """What is heard, at delays after the start.

    Raises:
        InvalidInput: one can't be read, or names no step.
    """
    return [_signal(text, definition, started.timestamp()) for text in texts]


def outcomes_of(texts: Sequence[str], program: Program) -> dict[str, str]:
    """What gates come to.

    Raises:
        InvalidInput: one names no step, or nothing that its step can come to.
    """
    outcomes: dict[str, str] = {}
    for text in texts:
        key, equals, outcome = text.partition("=")
        place = program.by_key.get(key)
        if not equals or place is None:
            raise InvalidInput(f"--outcome: {text!r} names no step of the sequence: write STEP=OUTCOME")
        can_be = tuple(place.step.branches) or tuple(getattr(place.step, "outcomes", ()))
        if can_be and outcome not in can_be:
            raise InvalidInput(f"--outcome: {key} comes to {' or '.join(can_be)}, not {outcome!r}")
        outcomes[key] = outcome
    return outcomes


def _signal(text: str, definition: Definition, started: float) -> Signal:
    what, _, delay = text.partition("@")
    kind, _, about = what.partition(":")
    if kind not in {one.value for one in SignalKind}:
        raise InvalidInput(f"--event: {kind!r} can't be heard of a contact, only {', '.join(SignalKind)}: {EVENT}")
    try:
        at = started + (parse_duration(delay).total_seconds() if delay else 0.0)
    except ValueError as error:
        raise InvalidInput(f"--event: {error}: {EVENT}") from None
    if kind == SignalKind.CUSTOM:
        return Signal(kind, at, name=about or None)
    if about and about not in {step.key for step in definition.walk()}:
        raise InvalidInput(f"--event: {about!r} is no step of {definition.sequence}: {EVENT}")
    return Signal(kind, at, step=about or None)


def _zone(name: str, option: str) -> str:
    try:
        return time_zone(name)
    except ValueError as error:
        raise InvalidInput(f"{option}: {name!r} {error}") from None
