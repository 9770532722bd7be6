"""When a step falls due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol

from engine.rules.calendar.calendar import Calendar, next_day
from engine.rules.calendar.local import from_wall, moment_of, to_wall
from engine.rules.calendar.opening import next_open, window_open
from engine.rules.dates import UnreadDateError, read_date
from schema.definition import DateAnchor, Delay, time_of_day


class Timing(Protocol):
    """What a step says of its time: a delay, or `after_start`, or `before` or `after` a date of the contact."""

    @property
    def delay(self) -> Delay: ...
    @property
    def at(self) -> int | None: ...
    @property
    def after_start(self) -> Delay | None: ...
    @property
    def before(self) -> DateAnchor | None: ...
    @property
    def after(self) -> DateAnchor | None: ...
    @property
    def if_late(self) -> Literal["send", "skip", "shift"]: ...
    @property
    def max_lateness(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class Due:
    """When a step falls due, and how that came about."""

    moment: datetime | None
    """UTC; None: never, it is skipped."""
    reasons: tuple[str, ...]
    """Each rule that had a part in it, in order; the last one tells why it is skipped."""


def due(
    timing: Timing,
    *,
    ended: datetime,
    started: datetime,
    attributes: Mapping[str, Any],
    calendar: Calendar,
    first: bool = False,
) -> Due:
    """Return when a step falls due: not before the step before it `ended`, and not while its calendar is closed.

    `started` is when the enrollment began. For the `first` step, `ended` is the same moment, and the reasons name the
    enrollment instead of a step before it.
    """
    if timing.before is not None or timing.after is not None:
        by_date = _by_date(timing, ended, attributes, calendar)
        if by_date.moment is None:
            return by_date
        moment, reasons = by_date.moment, by_date.reasons
    elif timing.after_start is not None:
        moment = _later(started, timing.after_start, timing.at, calendar)
        reasons = (f"{timing.after_start} after the enrollment",)
        if moment < ended:
            moment, reasons = ended, (*reasons, "which has passed: at once after the step before")
    else:
        moment = _later(ended, timing.delay, timing.at, calendar)
        reasons = (f"{timing.delay} after {'the enrollment' if first else 'the step before'}",) if timing.delay else ()
    if timing.at is not None:
        reasons = (*reasons, f"at {time_of_day(timing.at)} in {calendar.zone}")
    return _when_open(moment, reasons, timing.at, calendar)


def next_occasion(timing: Timing, planned: datetime, now: datetime, calendar: Calendar) -> Due:
    """When a step that is too late goes out instead (`if_late: shift`): at the next such time of day."""
    wall = to_wall(planned, calendar.zone)
    minute = wall.hour * 60 + wall.minute if timing.at is None else timing.at
    return _when_open(_next_at(now, minute, calendar), ("too late: shifted to the next day",), minute, calendar)


def date_of(value: Any, calendar: Calendar) -> date | None:
    """Return the day that an attribute names (`engine.rules.dates`); None: it names none."""
    try:
        return read_date(value, calendar.date_format, calendar.zone)
    except UnreadDateError:
        return None


def _by_date(timing: Timing, ended: datetime, attributes: Mapping[str, Any], calendar: Calendar) -> Due:
    anchor = timing.before or timing.after
    if anchor is None or timing.at is None:
        raise ValueError("a step relative to a date has a date and a time of day")
    name = anchor.attribute
    if attributes.get(name) in (None, ""):
        return Due(None, (f"the contact has no {name}",))
    try:
        day = read_date(attributes[name], calendar.date_format, calendar.zone)
    except UnreadDateError as error:
        return Due(None, (f"the contact has no date in {name}: {error}",))
    sign, word = (-1, "before") if timing.before is not None else (1, "after")
    reasons = (f"{anchor.by} {word} {name}, {day}" if anchor.by else f"on {name}, {day}",)
    moment = moment_of(_days_on(day, anchor.by, calendar, sign), timing.at, calendar.zone)
    if moment >= ended:
        return Due(moment, reasons)
    if timing.if_late == "send" or ended - moment <= timing.max_lateness:
        return Due(ended, (*reasons, "which has passed: at once after the step before"))
    if timing.if_late == "shift":
        return Due(_next_at(ended, timing.at, calendar), (*reasons, "which has passed: shifted to the next day"))
    return Due(None, (*reasons, "which had passed"))


def _when_open(moment: datetime, reasons: tuple[str, ...], at: int | None, calendar: Calendar) -> Due:
    """When the calendar is open; a step with a local time keeps it on the day to which it is moved, if it can."""
    opening = next_open(moment, calendar)
    reasons = (*reasons, *opening.reasons)
    if opening.moment is not None and opening.moment > moment and at is not None:
        again = moment_of(to_wall(opening.moment, calendar.zone).date(), at, calendar.zone)
        if again > opening.moment and window_open(again, calendar):
            return Due(again, reasons)
    return Due(opening.moment, reasons)


def _later(moment: datetime, delay: Delay, at: int | None, calendar: Calendar) -> datetime:
    """A delay after a moment, at a local time if one is given: days first, then the time of day."""
    if not delay.in_days:
        after = moment.astimezone(UTC) + timedelta(seconds=delay.seconds)
        return after if at is None else _next_at(after, at, calendar)
    wall = to_wall(moment, calendar.zone)
    day = _days_on(wall.date(), delay, calendar)
    if at is not None:
        return moment_of(day, at, calendar.zone)
    return from_wall(datetime.combine(day, wall.time()), calendar.zone)


def _next_at(moment: datetime, at: int, calendar: Calendar) -> datetime:
    """The first time from a moment on that the clocks show this; of two times on one day the first alone."""
    day = to_wall(moment, calendar.zone).date()
    while (at_that_time := moment_of(day, at, calendar.zone)) < moment:
        day = next_day(day)
    return at_that_time


def _days_on(day: date, delay: Delay, calendar: Calendar, sign: int = 1) -> date:
    """So many days of the calendar, or business days, later (or earlier)."""
    day += timedelta(days=sign * delay.days)
    left = delay.business_days
    while left:
        day += timedelta(days=sign)
        left -= calendar.is_business_day(day)
    return day
