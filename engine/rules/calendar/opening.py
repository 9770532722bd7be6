"""Whether a message may go out at a moment, and if not, from when on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from engine.rules.calendar.calendar import Calendar, next_day
from engine.rules.calendar.local import minute_of, moment_of, to_wall
from schema.definition import WEEKDAYS, QuietHours, time_of_day
from schema.definition.calendar import MIDNIGHT
from schema.definition.quiet_hours import QuietDay

#: What does not open for so long is as good as shut: a window that lies in the quiet hours where the contact is.
LONGEST_WAIT: Final = timedelta(days=35)

NEVER_OPENS: Final = f"its window does not open outside of holidays and quiet hours within {LONGEST_WAIT.days} days"


@dataclass(frozen=True, slots=True)
class Opening:
    """From when on a message may go out."""

    moment: datetime | None
    """None: not for a long time."""
    reasons: tuple[str, ...]
    """Why not before; nothing: it may go out at once."""


class _Closed(NamedTuple):
    until: datetime
    reason: str


def window_open(moment: datetime, calendar: Calendar) -> bool:
    """Whether a message may go out at this moment."""
    return _closed(moment, calendar) is None


def next_open(moment: datetime, calendar: Calendar) -> Opening:
    """The first moment from this one on at which a message may go out."""
    latest = moment + LONGEST_WAIT
    reasons: list[str] = []
    while (closed := _closed(moment, calendar)) is not None:
        moment = closed.until
        if moment > latest:
            return Opening(None, (NEVER_OPENS,))
        if not reasons or reasons[-1] != closed.reason:
            reasons.append(closed.reason)
    return Opening(moment, tuple(dict.fromkeys(reasons)))


def _closed(moment: datetime, calendar: Calendar) -> _Closed | None:
    closed = [] if calendar.window is None else [_outside_window(moment, calendar)]
    for zone in calendar.quiet_zones:
        if calendar.quiet is not None:
            closed.append(_quiet(moment, calendar.quiet, zone))
        closed += [_quiet(moment, law.hours, zone, law.name) for law in calendar.laws]
    return max((one for one in closed if one is not None), key=lambda one: one.until, default=None)


def _outside_window(moment: datetime, calendar: Calendar) -> _Closed | None:
    window, zone = calendar.window, calendar.zone
    if window is None:
        return None
    wall = to_wall(moment, zone)
    day, minute = wall.date(), minute_of(wall)
    opens_today = calendar.opens_on(day)
    if opens_today and window.opens <= minute < window.closes:
        return None
    if opens_today and minute < window.opens:
        why = f"the window opens at {time_of_day(window.opens)} in {zone}"
    elif opens_today:
        why = f"the window closes at {time_of_day(window.closes)} in {zone}"
    else:
        why = f"{day:%A, %Y-%m-%d} is {'a holiday' if calendar.is_day_off(day) else 'outside the window'} in {zone}"
    if not (opens_today and minute < window.opens):
        day, latest = next_day(day), day + LONGEST_WAIT
        while not calendar.opens_on(day):
            day = next_day(day)
            if day > latest:
                return _Closed(moment + 2 * LONGEST_WAIT, why)
    return _Closed(_next_time(moment, day, window.opens, zone), why)


def _quiet(moment: datetime, quiet: QuietHours, zone: tzinfo, law: str | None = None) -> _Closed | None:
    """Return until when it is quiet, within the day: the next day has hours of its own."""
    wall = to_wall(moment, zone)
    day, minute = wall.date(), minute_of(wall)
    weekday = WEEKDAYS[day.weekday()]
    hours = quiet.on(weekday)
    if hours is None or not hours.cover(minute):
        return None
    over_midnight = hours.begin > hours.end and minute >= hours.begin
    ends_at = MIDNIGHT if over_midnight else hours.end
    if law is None and not quiet.by_day:
        why = f"quiet hours {quiet} in {zone}"
    else:
        why = f"quiet hours{f' of {law}' if law else ''}: {_part(hours, minute, f'{day:%A}')} in {zone}"
    until = (next_day(day), 0) if ends_at == MIDNIGHT else (day, ends_at)
    return _Closed(_next_time(moment, *until, zone), why)


def _part(hours: QuietDay, minute: int, day: str) -> str:
    """Return which part of the day is quiet: `Sunday before 12:00`."""
    if hours.whole:
        return f"all of {day}"
    if hours.begin == 0 or (hours.begin > hours.end and minute < hours.end):
        return f"{day} before {time_of_day(hours.end)}"
    if hours.end == MIDNIGHT or hours.begin > hours.end:
        return f"{day} from {time_of_day(hours.begin)}"
    return f"{day} {hours}"


def _next_time(moment: datetime, day: date, minute: int, zone: tzinfo) -> datetime:
    """The first time that clocks show this minute of the day after the moment: they may show it twice."""
    first = moment_of(day, minute, zone)
    return first if first > moment else moment_of(day, minute, zone, second_time=True)
