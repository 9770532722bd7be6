"""Durations as people write them: "90 minutes", "1.5 hours", "1 day", "2 weeks"."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

from schema.definition.problem import did_you_mean, quoted

UNITS: Final = {"minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}

#: What a duration looks like, as a regular expression of JSON Schema.
PATTERN: Final = r"^\s*[0-9]{1,9}(\.[0-9]{1,6})?\s*(minute|hour|day|week)s?\s*$"

LONGEST: Final = timedelta(days=3_650)

#: Between two messages of an enrollment.
MIN_DELAY: Final = timedelta(minutes=1)

_NUMBER: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
UNIT_NAMES: Final = "minutes, hours, days or weeks"

#: A number behind a unit begins the next part: "18 hours 28 minutes", "1 day, 2 hours", "1 day and 2 hours".
_NEXT_PART: Final = re.compile(r"(?<=[A-Za-z])\s*(?:,\s*|\s+and\s+|\s+)(?=[+-]?[0-9])")


def parse_duration(text: str) -> timedelta:
    """Read a duration, rounded to whole seconds.

    Raises:
        ValueError: it isn't one, or is longer than ten years; the message says what is expected.
    """
    stripped = text.strip()
    unit = stripped.lstrip("+-0123456789.,_:")
    number = stripped.removesuffix(unit)
    unit = unit.strip()
    if not number:
        raise ValueError(f"{quoted(text)} is not a duration: write a number and a unit, such as 90 minutes or 1 day")
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"{quoted(text)} is not a duration: the number is digits, with a point if need be: 1.5 hours")
    if not unit:
        raise ValueError(f"{quoted(text)} has no unit: write {number} minutes, {number} hours, {number} days...")
    if unit.removesuffix("s") not in UNITS:
        hint = did_you_mean(unit, [*UNITS, *(name + "s" for name in UNITS)]) if unit.isalpha() else ""
        raise ValueError(f"unknown unit {quoted(unit)} in {quoted(text)}{hint}: the units are {UNIT_NAMES}")
    seconds = round(Decimal(number) * UNITS[unit.removesuffix("s")])
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{quoted(text)} is too long: at most ten years ({LONGEST.days} days)")
    return timedelta(seconds=seconds)


def parse_durations(text: str) -> timedelta:
    """Read one or several durations with different units, and return their sum: "18 hours 28 minutes".

    Raises:
        ValueError: a part isn't a duration, a unit is given twice, or the sum is longer than ten years.
    """
    total, units = timedelta(), set[str]()
    for part in _NEXT_PART.split(text.strip()):
        total += parse_duration(part)
        unit = part.strip().lstrip("0123456789. ").removesuffix("s")
        if unit in units:
            raise ValueError(f"{quoted(text)} names {unit}s twice: give each unit once")
        units.add(unit)
    if total > LONGEST:
        raise ValueError(f"{quoted(text)} is too long: at most ten years ({LONGEST.days} days)")
    return total


def written(seconds: int) -> str:
    """Return a duration of so many seconds as a file has it: "2 days", "36 hours", "1.5 minutes"."""
    for unit in ("day", "hour"):
        if seconds and seconds % UNITS[unit] == 0:
            number = seconds // UNITS[unit]
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{seconds / 60:.6f}".rstrip("0").rstrip(".") + " minutes"
