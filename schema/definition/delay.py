"""Delays as people write them: elapsed time ("90 minutes"), calendar days ("1 day"), business days."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from schema.definition.document import Unquoted
from schema.definition.duration import LONGEST, UNIT_NAMES, parse_duration

DAY: Final = 86_400

#: What a delay looks like, as a regular expression of JSON Schema.
PATTERN: Final = r"^\s*([0-9]{1,9}(\.[0-9]{1,6})?\s*(minute|hour|day|week)s?|[0-9]{1,4}\s+business\s+days?)\s*$"

_BUSINESS: Final = re.compile(r"\s*([0-9]{1,4})\s+business\s+days?\s*")
_CALENDAR: Final = re.compile(r"(day|week)s?\s*$")


@dataclass(frozen=True, slots=True)
class Delay:
    """A time that passes: one of the three, the others are zero."""

    days: int = 0
    """Days of the calendar: the same time of day, so many days later, however long the days are."""
    business_days: int = 0
    seconds: int = 0

    def __str__(self) -> str:
        """As people write it."""
        if self.business_days:
            return _counted(self.business_days, "business day")
        if self.days:
            return _counted(self.days, "day")
        hours, rest = divmod(self.seconds, 3_600)
        return _counted(hours, "hour") if hours and not rest else _counted(self.seconds / 60, "minute")

    def __bool__(self) -> bool:
        """Whether any time passes."""
        return bool(self.days or self.business_days or self.seconds)

    @property
    def in_days(self) -> bool:
        """Whether it is counted in days, of the calendar or of business."""
        return bool(self.days or self.business_days)

    def total_seconds(self) -> float:
        """Roughly how long it is: days of 24 hours, none of them off."""
        return (self.days + self.business_days) * DAY + self.seconds

    def canonical(self) -> int | str:
        """Seconds where they say it all: a whole number of days in seconds means days of the calendar."""
        if self.business_days or (self.seconds and self.seconds % DAY == 0):
            return str(self)
        return self.days * DAY + self.seconds


def _counted(number: float, unit: str) -> str:
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"


def parse_delay(text: str) -> Delay:
    """Read a delay. A whole number of days or weeks is counted on the calendar, anything else is elapsed time.

    Raises:
        ValueError: it isn't one, or is longer than ten years; the message says what is expected.
    """
    if business := _BUSINESS.fullmatch(text):
        days = int(business[1])
        if days > LONGEST.days:
            raise ValueError(f"{text.strip()!r} is too long: at most ten years")
        return Delay(business_days=days)
    try:
        duration = parse_duration(text)
    except ValueError as error:
        more = ", or business days" if str(error).endswith(UNIT_NAMES) else ""
        raise ValueError(f"{error}{more}") from None
    if _CALENDAR.search(text) and duration % timedelta(days=1) == timedelta():
        return Delay(days=duration.days)
    return Delay(seconds=round(duration.total_seconds()))


def read_delay(value: Any) -> Delay:
    """Take a delay from a file, or from what `canonical` gave.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, Delay):
        return value
    if isinstance(value, Unquoted):
        return parse_delay(value.written)
    if isinstance(value, int) and not isinstance(value, bool):
        return Delay(seconds=value) if value % DAY else Delay(days=value // DAY)
    if not isinstance(value, str):
        raise ValueError("it is not text")  # noqa: TRY004 (pydantic passes a TypeError on as a crash)
    return parse_delay(value)
