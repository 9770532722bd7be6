"""Where a contact may be, and so which calendar is in force for a step."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from functools import cache
from typing import Any

from engine.rules.calendar.calendar import Calendar
from engine.rules.calendar.places import laws_of
from engine.rules.calendar.quiet_laws import QuietLaw
from engine.rules.calendar.zones import first_known, spread, zone_of, zones_of_phone
from schema.definition import WEEKDAYS, AnyStep, Definition, QuietHours, SmsStep
from schema.definition.quiet_hours import QuietSetting, read_quiet_setting


@dataclass(frozen=True, slots=True)
class Hours:
    """What a workspace says of its time."""

    timezone: str = "UTC"
    quiet_hours: str = "20:00-09:00"
    """Of SMS whose sequence says nothing of them; or `off`; with `strict`, those of the law hold too."""
    days_off: frozenset[date] = frozenset()

    @property
    def strict(self) -> bool:
        """Whether the quiet hours of the law hold too."""
        return _setting(self.quiet_hours).strict


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of where a contact is: for contacts with the same whereabouts the calendar is the same."""

    zone: tzinfo | None
    """None: nobody knows."""
    phone_zones: tuple[tzinfo, ...]
    """Those that its phone may be in, where its zone is not known."""
    hours: Hours
    laws: tuple[QuietLaw, ...] = ()
    """Those that may hold for it, in a workspace that asks for them."""


def whereabouts(
    timezone: str | None, phone: str | None, hours: Hours, attributes: Mapping[str, Any] | None = None
) -> Whereabouts:
    """Where a contact is, by its time zone (an IANA name), else its phone (E.164, or its first digits).

    The laws that may hold for it are those of its phone and of its attributes `state` and `country`.
    """
    zone = zone_of(timezone)
    zones = zones_of_phone(phone) if phone and zone is None else ()
    return Whereabouts(zone, zones, hours, laws_of(phone, attributes or {}) if hours.strict else ())


def calendar_of(step: AnyStep, definition: Definition, where: Whereabouts) -> Calendar:
    """The calendar that is in force for a step of a contact."""
    zone = zone_for(definition, where)
    window = definition.window if step.window is None else step.window
    quiet = quiet_hours_of(step, definition, where.hours)
    laws = where.laws if heeds_laws(step, definition, where.hours) else ()
    return Calendar(
        zone=zone,
        window=None if window == "off" else window,
        quiet=quiet,
        laws=laws,
        quiet_zones=quiet_zones(where, quiet, laws) if quiet is not None or laws else (),
        days_off=where.hours.days_off,
        date_format=definition.date_format,
    )


def zone_for(definition: Definition, where: Whereabouts) -> tzinfo:
    """The zone of a sequence's days and local times: the contact's, else the workspace's, else UTC."""
    match definition.timezone:
        case "contact":
            return where.zone or first_known(where.hours.timezone)
        case "workspace":
            return first_known(where.hours.timezone)
        case name:
            return first_known(name, where.hours.timezone)


def quiet_hours_of(step: AnyStep, definition: Definition, hours: Hours) -> QuietHours | None:
    """The quiet hours of a step: its own, else the sequence's, else the workspace's; only SMS have them by default."""
    given = definition.quiet_hours if step.quiet_hours is None else step.quiet_hours
    if given is None:
        given = _setting(hours.quiet_hours).hours if isinstance(step, SmsStep) else None
    elif step.quiet_hours is None and not isinstance(step, SmsStep):
        given = None
    return None if given == "off" else given


def heeds_laws(step: AnyStep, definition: Definition, hours: Hours) -> bool:
    """Return whether the quiet hours of the law hold for a step: SMS that the sequence does not say `off` for."""
    given = definition.quiet_hours if step.quiet_hours is None else step.quiet_hours
    return isinstance(step, SmsStep) and given != "off" and hours.strict


def may_be_quiet(step: AnyStep, definition: Definition, hours: Hours) -> bool:
    """Return whether a step has quiet hours, for whatever contact."""
    return quiet_hours_of(step, definition, hours) is not None or heeds_laws(step, definition, hours)


@cache
def _setting(text: str) -> QuietSetting:
    """Return the quiet hours of a workspace, as they are stored."""
    return read_quiet_setting(text)


def quiet_zones(where: Whereabouts, quiet: QuietHours | None, laws: tuple[QuietLaw, ...] = ()) -> tuple[tzinfo, ...]:
    """Every zone that the contact may be in: the one that is known, else those of its phone, else the workspace's.

    Those of a phone do not help where no hour of the day is awake in all of them: +1 800 may be in Guam and in Maine.
    """
    if where.zone is not None:
        return (where.zone,)
    if where.phone_zones and spread(where.phone_zones) < _awake(quiet, laws):
        return where.phone_zones
    return (first_known(where.hours.timezone),)


@cache
def _awake(quiet: QuietHours | None, laws: tuple[QuietLaw, ...]) -> timedelta:
    """Return for how long a message may go out, on the day of the week on which that is longest."""
    rules = [*([] if quiet is None else [quiet]), *(law.hours for law in laws)]
    minutes = (sum(not any(rule.cover(minute, day) for rule in rules) for minute in range(24 * 60)) for day in WEEKDAYS)
    return timedelta(minutes=max(minutes))
