"""From local times to moments, over every change of the clocks."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

_SECOND: Final = timedelta(seconds=1)


def moment_of(day: date, minute: int, zone: tzinfo, *, second_time: bool = False) -> datetime:
    """The moment, in UTC, at which the clocks of the zone show this minute of the day."""
    return from_wall(datetime.combine(day, time()) + timedelta(minutes=minute), zone, second_time=second_time)


def from_wall(wall: datetime, zone: tzinfo, *, second_time: bool = False) -> datetime:
    """The moment, in UTC, at which the clocks of the zone show this.

    What they show twice is the first time, unless told otherwise; what they never show, since they jump over it, is
    the moment of the jump: the next local time that there is.
    """
    moment = wall.replace(tzinfo=zone, fold=int(second_time)).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    before = wall.replace(tzinfo=zone, fold=1, microsecond=0).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0, microsecond=0).astimezone(UTC) + _SECOND
    return _jump(before, after, zone)


def to_wall(moment: datetime, zone: tzinfo) -> datetime:
    """What the clocks of the zone show at a moment, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def minute_of(wall: datetime) -> int:
    """The minute of the day that a clock shows."""
    return wall.hour * 60 + wall.minute


def _jump(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first second at which the clocks between two moments show another offset."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
