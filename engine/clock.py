"""The sequence clock (DESIGN.md section 6): the time that schedules live in."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from engine.database import Database, Session
from engine.errors import InvalidInput

#: Real seconds after which a changed clock is noticed; the promise is one second.
REFRESH_SECONDS = 0.75

READ: Final = """
SELECT date_part('epoch', clock_timestamp()), (SELECT open_until > clock_timestamp() FROM dispatch),
    date_part('epoch', real_from), date_part('epoch', sequence_from), rate
FROM clock ORDER BY id
"""

MAX_RATE = 86_400 * 365

#: Real seconds by which the clocks of a worker's machine and of the database may differ: one of them is wrong then,
#: and nothing that it says of due times, leases or lateness can be trusted.
WRONG_CLOCK = 30.0


@dataclass(frozen=True, slots=True)
class Segment:
    """From `real_from` on, a real second moves the sequence clock by `rate` seconds. Epoch seconds, UTC."""

    real_from: float
    sequence_from: float
    rate: float

    def sequence_at(self, real: float) -> float:
        """The sequence time at a real time."""
        return self.sequence_from + (real - self.real_from) * self.rate

    def real_at(self, sequence: float) -> float:
        """The real time at a sequence time, were this segment the only one."""
        return self.real_from + (sequence - self.sequence_from) / self.rate


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that the clock ever did, the oldest segment first."""

    segments: tuple[Segment, ...]

    def sequence_at(self, real: float) -> float:
        """The sequence time at a real time, by the segment in force now."""
        return self.segments[-1].sequence_at(real)

    def sequence_then(self, real: float) -> float:
        """The sequence time at a real time that has passed, by the segment that was in force then."""
        in_force = self.segments[0]
        for segment in self.segments:
            if segment.real_from <= real:
                in_force = segment
        return in_force.sequence_at(real)

    def reached(self, sequence: float) -> float:
        """The real time at which the clock first reached a sequence time, or will.

        A jump reaches everything that it jumps over at once.
        """
        for segment, following in zip(self.segments, self.segments[1:], strict=False):
            real = max(segment.real_at(sequence), segment.real_from)
            if real < following.real_from:
                return real
        last = self.segments[-1]
        return max(last.real_at(sequence), last.real_from)


class ClockReading(NamedTuple):
    """What one look at the database tells."""

    real: float
    """The database's real time, in epoch seconds."""
    timeline: Timeline
    dispatch_open: bool


class SequenceClock:
    """The clock as the database keeps it, for a process, and whether dispatch is open: both are one look.

    A look is at most three quarters of a second old.
    It may be asked in the middle of a transaction: it has a connection of its own.
    Real time is the database's, so that a wrong clock of this machine moves nothing.
    """

    def __init__(self, database: Database) -> None:
        """Prepare the clock; the database is read at the first use."""
        self._database = database
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._offset = 0.0
        self._timeline = Timeline((Segment(0, 0, 1),))
        self._dispatch_open = False

    def real_now(self) -> float:
        """The database's real time, in epoch seconds."""
        self._refresh()
        return time.monotonic() + self._offset

    def now(self) -> float:
        """The sequence time, in epoch seconds."""
        real = self.real_now()
        return self._timeline.sequence_at(real)

    def then(self, real: float) -> float:
        """The sequence time at a real time that has passed, in epoch seconds."""
        self._refresh()
        return self._timeline.sequence_then(real)

    @property
    def dispatch_open(self) -> bool:
        """Whether rows may be claimed; the claim itself asks the database (engine/outbox/claim.py)."""
        self._refresh()
        return self._dispatch_open

    def lateness(self, due: float, not_before: float | None = None) -> float:
        """Return the real seconds since a step fell due, below zero until then.

        `not_before` is the real time at which a back-off ended.
        """
        real = self.real_now()  # first, since it reads the timeline anew
        reached = self._timeline.reached(due)
        if not_before is not None:
            reached = max(reached, not_before)
        return real - reached

    @property
    def apart(self) -> float:
        """Real seconds between this machine's clock and the database's."""
        return abs(time.time() - self.real_now())

    @property
    def rate(self) -> float:
        """Sequence seconds in a real second."""
        self._refresh()
        return self._timeline.segments[-1].rate

    def read_again(self) -> None:
        """Look at the database at the next use, however fresh the last look is: the clock seems to have moved."""
        self._read_at = float("-inf")

    def stale_in(self) -> float:
        """Real seconds until the next use looks at the database; whoever waits longer misses a change."""
        return max(0.0, self._read_at + REFRESH_SECONDS - time.monotonic())

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < REFRESH_SECONDS:
            return
        with self._lock:
            if time.monotonic() - self._read_at < REFRESH_SECONDS:
                return
            with self._database.transaction(apart=True) as session:
                before = time.monotonic()
                reading = read_clock(session)
                after = time.monotonic()
            self._offset = reading.real - (before + after) / 2
            self._timeline = reading.timeline
            self._dispatch_open = reading.dispatch_open
            self._read_at = after


def read_clock(session: Session) -> ClockReading:
    """Read the database's real time, the timeline, and whether dispatch is open."""
    rows = session.execute(READ).fetchall()
    segments: list[Segment] = []
    for row in rows:
        segment = Segment(*row[2:])
        if segments and segments[-1].sequence_at(segment.real_from) > segment.sequence_from:
            segments.clear()  # the clock went back: what it had reached before, it has yet to reach again
        segments.append(segment)
    real, dispatch_open = rows[0][:2]
    return ClockReading(real, Timeline(tuple(segments)), dispatch_open)


def sequence_now(session: Session) -> datetime:
    """The sequence time as the database tells it, UTC."""
    row = session.execute("SELECT sequence_now()").fetchone()
    assert row is not None  # noqa: S101 (a SELECT without FROM has a row)
    now: datetime = row[0]
    return now


def advance(session: Session, by: timedelta) -> None:
    """Jump ahead.

    Raises:
        InvalidInput: that would be backwards.
    """
    if by <= timedelta():
        raise InvalidInput(
            "the sequence clock only advances: give a time above zero, as in `cadenza clock advance '3 days'`"
        )
    session.execute(
        "INSERT INTO clock (real_from, sequence_from, rate)"
        " SELECT clock_timestamp(), sequence_now() + %s, rate FROM clock ORDER BY id DESC LIMIT 1",
        (by,),
    )


def set_rate(session: Session, rate: float) -> None:
    """Let a real second move the sequence clock by that many seconds from now on.

    Raises:
        InvalidInput: the rate is not above zero, or above a year a second.
    """
    if not 0 < rate <= MAX_RATE:
        raise InvalidInput(
            f"the rate is the sequence seconds in a real second: above 0, at most {MAX_RATE}; not {rate:g}"
        )
    session.execute(
        "INSERT INTO clock (real_from, sequence_from, rate) SELECT clock_timestamp(), sequence_now(), %s", (rate,)
    )


def reset(session: Session) -> None:
    """Return to real time."""
    session.execute("INSERT INTO clock (real_from, sequence_from, rate) SELECT now(), now(), 1")


def from_epoch(seconds: float) -> datetime:
    """A moment in UTC from epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)
