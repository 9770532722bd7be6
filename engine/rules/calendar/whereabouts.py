"""Where a contact may be, and so which calendar is in force for a step."""

from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from functools import cache
from typing import Final

from engine.rules.calendar.calendar import Calendar
from engine.rules.calendar.zones import first_known, spread, zone_of, zones_of_phone
from schema.definition import AnyStep, Definition, QuietHours, SmsStep

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """What a workspace says of its time."""

    timezone: str = "UTC"
    quiet_hours: str = "20:00-09:00"
    """Of SMS whose sequence says nothing of them; or `off`."""
    days_off: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of where a contact is: for contacts with the same whereabouts the calendar is the same."""

    zone: tzinfo | None
    """None: nobody knows."""
    phone_zones: tuple[tzinfo, ...]
    """Those that its phone may be in, where its zone is not known."""
    hours: Hours


def whereabouts(timezone: str | None, phone: str | None, hours: Hours) -> Whereabouts:
    """Where a contact is, by its time zone (an IANA name), else its phone (E.164, or its first digits)."""
    zone = zone_of(timezone)
    return Whereabouts(zone, zones_of_phone(phone) if phone and zone is None else (), hours)


def calendar_of(step: AnyStep, definition: Definition, where: Whereabouts) -> Calendar:
    """The calendar that is in force for a step of a contact."""
    zone = zone_for(definition, where)
    window = definition.window if step.window is None else step.window
    quiet = quiet_hours_of(step, definition, where.hours)
    return Calendar(
        zone=zone,
        window=None if window == "off" else window,
        quiet=quiet,
        quiet_zones=() if quiet is None else quiet_zones(where, quiet),
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
        given = read_quiet_hours(hours.quiet_hours) if isinstance(step, SmsStep) else None
    elif step.quiet_hours is None and not isinstance(step, SmsStep):
        given = None
    return None if given == "off" else given


@cache
def read_quiet_hours(text: str) -> QuietHours | None:
    """The quiet hours of a workspace, as they are stored; None: `off`."""
    begin, _, end = text.partition("-")
    return None if text == "off" else QuietHours.model_validate({"from": begin, "to": end})


def quiet_zones(where: Whereabouts, quiet: QuietHours) -> tuple[tzinfo, ...]:
    """Every zone that the contact may be in: the one that is known, else those of its phone, else the workspace's.

    Those of a phone do not help where no hour of the day is awake in all of them: +1 800 may be in Guam and in Maine.
    """
    if where.zone is not None:
        return (where.zone,)
    if where.phone_zones and spread(where.phone_zones) < _awake(quiet):
        return where.phone_zones
    return (first_known(where.hours.timezone),)


def _awake(quiet: QuietHours) -> timedelta:
    return DAY - timedelta(minutes=(quiet.end - quiet.begin) % (24 * 60))
