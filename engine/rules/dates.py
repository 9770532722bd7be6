"""Dates as people write them: what can mean one day only is read, everything else is reported. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final

from schema.definition import AnyStep, Definition
from schema.definition.calendar import DateFormat

#: The years of dates that are read.
YEARS: Final = range(1900, 3000)

#: Days of the serial numbers of spreadsheets that are recognised: 1950 to 2100. Day 0 is that of the OpenDocument
#: Format 1.2, part 2, section 4.3.2; Excel agrees from 1 March 1900 on.
SERIALS: Final = range(18_264, 73_416)
DAY_0: Final = date(1899, 12, 30)

MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_EXAMPLE: Final = "2027-02-28"
ISO: Final = f"write it as in {_EXAMPLE}"

_CLOCK: Final = (
    r"(?:[T\s,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_DAY: Final = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.)?"
_MONTH: Final = r"(?P<month>[A-Za-z]{3,9})\.?"
_WEEKDAY: Final = r"(?:(?P<weekday>[A-Za-z]{3,9})\.?,?\s+)?"
_BETWEEN: Final = r"[\s\-/.,]\s*"

_YEAR_FIRST: Final = re.compile(r"(?P<year>[0-9]{4})([-/.])\s*(?P<month>[0-9]{1,2})\2\s*(?P<day>[0-9]{1,2})" + _CLOCK)
_YEAR_LAST: Final = re.compile(
    r"(?P<first>[0-9]{1,2})(?P<mark>[-/.])\s*(?P<second_>[0-9]{1,2})(?P=mark)\s*(?P<year>[0-9]{4}|[0-9]{2})\.?" + _CLOCK
)
_NAMED: Final = (
    re.compile(rf"{_WEEKDAY}{_DAY}(?:\s+of)?(?:{_BETWEEN})?{_MONTH}(?:{_BETWEEN})?(?P<year>[0-9]{{4}})" + _CLOCK),
    re.compile(rf"{_WEEKDAY}{_MONTH}(?:{_BETWEEN})?{_DAY}{_BETWEEN}(?P<year>[0-9]{{4}})" + _CLOCK),
    re.compile(rf"(?P<year>[0-9]{{4}}){_BETWEEN}{_MONTH}{_BETWEEN}{_DAY}" + _CLOCK),
)
_SERIAL: Final = re.compile(r"([0-9]{5})(?:[.,][0-9]+)?")
_UNIX: Final = re.compile(r"([0-9]{10})(?:[0-9]{3})?")

#: Characters of a value that a message repeats.
_SHOWN: Final = 40


class UnreadDateError(ValueError):
    """A value can't be read as one day; the message says why, and how to write it."""


@dataclass(frozen=True, slots=True)
class UnreadDate:
    """A date of a contact that steps go by, and that can't be read or is missing."""

    attribute: str
    problem: str
    """With the value, and how to write it."""
    steps: tuple[str, ...]
    """The keys of the steps that are skipped without it."""
    required: bool
    """Whether one of the steps needs it: the contact can't be enrolled."""

    def __str__(self) -> str:
        """Return it as a message."""
        several = len(self.steps) > 1
        needed = ("need it" if several else "needs it") if self.required else f"{'are' if several else 'is'} skipped"
        return f"{self.attribute} {self.problem}; step{'s' if several else ''} {', '.join(self.steps)} {needed}"


@dataclass(frozen=True, slots=True)
class _Anchor:
    attribute: str
    steps: tuple[str, ...]
    required: tuple[str, ...]
    """Those of the steps that can't do without it."""


class ContactDates:
    """The dates of a contact that the steps of a sequence go by."""

    def __init__(self, definition: Definition) -> None:
        """Take them from a definition."""
        self._format = definition.date_format
        self._anchors = _anchors(definition)

    def unread(self, attributes: Mapping[str, Any]) -> list[UnreadDate]:
        """Return the dates that can't be read, and those that are required and missing."""
        found: list[UnreadDate] = []
        for anchor in self._anchors:
            value = attributes.get(anchor.attribute)
            required = bool(anchor.required)
            steps = anchor.required or anchor.steps
            if value in (None, ""):
                if required:
                    found.append(UnreadDate(anchor.attribute, "is missing", steps, required))
                continue
            try:
                _read(_text(value), self._format)
            except UnreadDateError as error:
                found.append(UnreadDate(anchor.attribute, str(error), steps, required))
        return found


def read_date(value: Any, date_format: DateFormat | None, zone: tzinfo) -> date:
    """Return the day that a value names; that of a moment with a zone of its own is the day in `zone`.

    ISO 8601 is always read. `date_format` says how all other dates in digits are meant; without it those are read that
    can mean one day only: a day above 12, dots between the numbers (day first), or a month by its English name.

    Raises:
        UnreadDateError: it can't be read, or may mean several days.
    """
    read = _read(_text(value), date_format)
    return read.astimezone(zone).date() if isinstance(read, datetime) else read


def _text(value: Any) -> str:
    """Return a value of an attribute as a file would have it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnreadDateError(f"{_quoted(str(value))} is not a date: {ISO}")
    return str(value).strip()


@lru_cache(maxsize=65_536)
def _read(text: str, date_format: DateFormat | None) -> date | datetime:
    """Return a day, or a moment with a zone."""
    read = _iso(text) or _year_first(text) or _year_last(text, date_format) or _named(text)
    if read is None:
        raise UnreadDateError(_unknown(text))
    if read.year not in YEARS:
        raise UnreadDateError(f"{_quoted(text)} is outside of the years {YEARS[0]} to {YEARS[-1]}")
    return read


def _iso(text: str) -> date | datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.date() if moment.tzinfo is None else _in_utc(moment, text)


def _year_first(text: str) -> date | datetime | None:
    match = _YEAR_FIRST.fullmatch(text)
    return None if match is None else _moment(match, text, int(match["month"]), int(match["day"]))


def _year_last(text: str, date_format: DateFormat | None) -> date | datetime | None:
    match = _YEAR_LAST.fullmatch(text)
    if match is None:
        return None
    if len(match["year"]) == 2:
        raise UnreadDateError(f"{_quoted(text)} has a year of two digits: {ISO}")
    first, second = int(match["first"]), int(match["second_"])
    if date_format is not None:
        month, day = (first, second) if date_format == "MDY" else (second, first)
        try:
            return _moment(match, text, month, day)
        except UnreadDateError:
            raise UnreadDateError(
                f"{_quoted(text)} is not a date as date_format: {date_format} has it: {ISO}"
            ) from None
    if match["mark"] == "." and second <= 12:
        return _moment(match, text, second, first)
    if first != second and 1 <= first <= 12 and 1 <= second <= 12:
        one, other = (date(int(match["year"]), *order) for order in ((first, second), (second, first)))
        raise UnreadDateError(
            f"{_quoted(text)} may be {one} or {other}: write it so, or say date_format: MDY or DMY in the sequence"
        )
    month, day = (second, first) if first > 12 else (first, second)
    return _moment(match, text, month, day)


def _named(text: str) -> date | datetime | None:
    for pattern in _NAMED:
        match = pattern.fullmatch(text)
        month = None if match is None else _number(match["month"], MONTHS)
        if match is None or month is None:
            continue
        read = _moment(match, text, month, int(match["day"]))
        name = match.groupdict().get("weekday")
        written = date(int(match["year"]), month, int(match["day"])).weekday() + 1
        if name is not None and _number(name, WEEKDAYS) != written:
            raise UnreadDateError(f"{_quoted(text)} is a {WEEKDAYS[written - 1].title()}: {ISO}")
        return read
    return None


def _number(name: str, names: tuple[str, ...]) -> int | None:
    """Return which month or day of the week a name is, from 1: in full, or its first letters (three at least)."""
    found = [number for number, one in enumerate(names, start=1) if one.startswith(name.lower())]
    return found[0] if len(found) == 1 else None


def _moment(match: re.Match[str], text: str, month: int, day: int) -> date | datetime:
    """Return the day, or the moment if there is a time with a zone."""
    try:
        found = date(int(match["year"]), month, day)
        if match["hour"] is None:
            return found
        clock = time(_hour(int(match["hour"]), match["half"]), int(match["minute"]), int(match["second"] or 0))
    except ValueError:
        raise UnreadDateError(f"{_quoted(text)} is not a day and time that there is: {ISO}") from None
    zone = match["zone"]
    return found if zone is None else _in_utc(datetime.combine(found, clock, _offset(zone)), text)


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("an hour with am or pm is 1 to 12")
    return hour % 12 + (12 if half.lower().startswith("p") else 0)


def _offset(zone: str) -> tzinfo:
    if zone in ("Z", "UTC", "GMT"):
        return UTC
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return timezone(-offset if zone[0] == "-" else offset)


def _in_utc(moment: datetime, text: str) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UnreadDateError(f"{_quoted(text)} is outside of the years {YEARS[0]} to {YEARS[-1]}") from None


def _unknown(text: str) -> str:
    """Return why a text is no date, with what it probably is."""
    if (serial := _SERIAL.fullmatch(text)) is not None and int(serial[1]) in SERIALS:
        day = DAY_0 + timedelta(days=int(serial[1]))
        return f"{_quoted(text)} looks like the serial number of a spreadsheet for {day}: write it as {day}"
    if (seconds := _UNIX.fullmatch(text)) is not None:
        day = datetime.fromtimestamp(int(seconds[1]), UTC).date()
        return f"{_quoted(text)} looks like a Unix time on {day}: write it as {day}"
    return f"{_quoted(text)} can't be read as a date: {ISO}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")


def _anchors(definition: Definition) -> tuple[_Anchor, ...]:
    """Return the attributes that steps go by, each once, in the order of the steps."""
    steps: dict[str, list[AnyStep]] = {}
    for step in definition.walk():
        if (anchor := step.before or step.after) is not None:
            steps.setdefault(anchor.attribute, []).append(step)
    return tuple(
        _Anchor(
            attribute,
            tuple(step.key for step in by),
            tuple(
                step.key for step in by if any(one is not None and one.required for one in (step.before, step.after))
            ),
        )
        for attribute, by in steps.items()
    )
