"""Time zones: by name, and those that a phone number may be in."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException
from phonenumbers.phonenumberutil import is_number_type_geographical
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

#: As much of a number in E.164, with its +, as tells where it may be.
PREFIX: Final[int] = 1 + TIMEZONE_LONGEST_PREFIX

#: The country codes whose numbers may be in several zones. There the first digits of a mobile tell nothing: it may be
#: anywhere in the country. +1 is not one of them: each of its area codes belongs to one place, mobile or not.
WIDE: Final = frozenset(
    code for code in map(str, COUNTRY_CODE_TO_REGION_CODE) if code != "1" and len(TIMEZONE_DATA.get(code, ())) > 1
)

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
    """Return the zones that a number in E.164 may be in; none: nobody knows.

    The rule is that of `phonenumbers.timezone.time_zones_for_number`: the first digits of a number tell its zone if
    they tell where it is, as those of a landline do; all zones of the country count otherwise. A country with one zone
    needs neither, so most numbers are not parsed.
    """
    code = country_code_of(number)
    digits = code if code in WIDE and not _has_a_place(number) else number[1:PREFIX]
    for length in range(len(digits), 0, -1):
        if (names := TIMEZONE_DATA.get(digits[:length])) is not None:
            return _zones(names)
    return ()


def country_code_of(number: str) -> str:
    """Return the country code of a number in E.164, or of its first digits; empty: there is no such code."""
    return next((number[1:end] for end in (2, 3, 4) if _is_country_code(number[1:end])), "")


def _is_country_code(digits: str) -> bool:
    return digits.isdecimal() and int(digits) in COUNTRY_CODE_TO_REGION_CODE


def _has_a_place(number: str) -> bool:
    """Return whether the first digits of a number tell where it is."""
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return False
    return bool(is_number_type_geographical(phonenumbers.number_type(parsed), parsed.country_code or 0))


@cache
def _zones(names: tuple[str, ...]) -> tuple[tzinfo, ...]:
    return tuple(zone for name in names if (zone := zone_of(name)) is not None)


@cache
def spread(zones: tuple[tzinfo, ...]) -> timedelta:
    """How far apart the clocks of the zones are."""
    offsets = [[season.astimezone(zone).utcoffset() or timedelta() for zone in zones] for season in SEASONS]
    return max((max(season) - min(season) for season in offsets if season), default=timedelta())
