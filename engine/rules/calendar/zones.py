"""Time zones: by name, and those that a phone number may be in."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

#: As much of a number in E.164, with its +, as tells where it may be.
PREFIX: Final[int] = 1 + TIMEZONE_LONGEST_PREFIX

#: Midwinter and midsummer: between them zones are as far apart as they get.
SEASONS: Final = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))


@cache
def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name; None: there is no such zone."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def first_known(*names: str | None) -> tzinfo:
    """The first of the zones that there is; else UTC."""
    return next((zone for name in names if (zone := zone_of(name)) is not None), ZoneInfo("UTC"))


def zones_of_phone(number: str) -> tuple[tzinfo, ...]:
    """The zones that a number in E.164 may be in; none: nobody knows.

    What `phonenumbers.timezone` does, without reading the number: its first digits (`PREFIX`) tell.
    """
    digits = number[1:PREFIX]
    for length in range(len(digits), 0, -1):
        if (names := TIMEZONE_DATA.get(digits[:length])) is not None:
            return _zones(names)
    return ()


@cache
def _zones(names: tuple[str, ...]) -> tuple[tzinfo, ...]:
    return tuple(zone for name in names if (zone := zone_of(name)) is not None)


@cache
def spread(zones: tuple[tzinfo, ...]) -> timedelta:
    """How far apart the clocks of the zones are."""
    offsets = [[season.astimezone(zone).utcoffset() or timedelta() for zone in zones] for season in SEASONS]
    return max((max(season) - min(season) for season in offsets if season), default=timedelta())
