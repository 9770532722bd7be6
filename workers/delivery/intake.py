"""The way in of a row: claimed, prepared and begun in one transaction, after which it may be handed over."""

import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

import psycopg
import structlog

from engine.clock import WRONG_CLOCK, SequenceClock
from engine.database import GONE, Database, Session, first_line
from engine.outbox.begin import Attempt, begin, has_committed
from engine.outbox.claim import Claimed, claim
from engine.outbox.postpone import Postponed, postpone
from engine.outbox.settle import Ending
from engine.settings import Settings
from engine.wakeups import Due
from schema.states import MESSAGE_TYPES, RowStatus
from workers.delivery.goals import Goals
from workers.delivery.prepared import Prepared

log = structlog.get_logger(__name__)

#: Real seconds: between two tries to reach a database that is gone, and before a row that could not be prepared is
#: tried again.
PAUSE: Final = 0.5
UNPREPARED_SECONDS: Final = 60.0

#: Real seconds by which a clock that nobody moved differs at most from the database's at a claim.
MOVED_SECONDS: Final = 1.0

#: Real seconds for which rows may stay locked while messages are made of them: who says STOP waits for that.
LOCKED_SECONDS: Final = 0.25


#: Makes a message of a row: see workers/delivery/prepare.py.
Making: TypeAlias = Callable[[Claimed, float, float], Prepared | Ending | Postponed]


@dataclass(slots=True)
class Taken:
    """What became of rows that were to go out."""

    ready: list[Prepared] = field(default_factory=list)
    """Begun: to be handed over."""
    ended: list[Ending] = field(default_factory=list)
    """Begun, and to be settled without a hand-over."""
    gates: list[Claimed] = field(default_factory=list)
    """Not messages: to be settled where that is done (workers/gates)."""
    postponed: list[Postponed] = field(default_factory=list)
    """Put back: they may not go out before a later time."""
    wakeups: list[Due] = field(default_factory=list)
    """Theirs, and those of the steps behind them, in sequence time: to be scheduled now."""
    later: list[int] = field(default_factory=list)
    """Not looked at, or not begun for lack of time: to be taken again."""
    not_claimed: list[int] = field(default_factory=list)
    """Not to go out now, or another's."""


class Intake:
    """Takes rows in. Used by one thread."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: SequenceClock,
        prepare: Making,
        types: Container[str] = MESSAGE_TYPES,
        goals: Goals | None = None,
    ) -> None:
        """Prepare to take in rows of these types; others are gates. Without `goals` nobody looks at them once more."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._prepare = prepare
        self._types = types
        self._goals = goals

    def take(self, ids: Sequence[int]) -> Taken:
        """Begin those of the rows that may go out now. A database that is gone takes none: try again later.

        Raises:
            psycopg.Error: the database can't do it.
        """
        try:
            if self._clock.apart > WRONG_CLOCK:
                time.sleep(PAUSE)
                return Taken(not_claimed=list(ids))
            return self._take(ids, self._prepared)
        except GONE as error:
            log.warning("not claimed yet: the database is gone", rows=len(ids), error=first_line(error))
            time.sleep(PAUSE)
            return Taken(later=list(ids))
        except psycopg.Error:
            if len(ids) > 1:
                return self._take_one_by_one(ids)
            log.exception("an attempt could not be written", row=ids[0])
            return self._take(ids, _unwritten)

    def _take_one_by_one(self, ids: Sequence[int]) -> Taken:
        """Find the row that the database does not take, and let the others go."""
        together = Taken()
        for row_id in ids:
            one = self.take([row_id])
            together.ready += one.ready
            together.ended += one.ended
            together.gates += one.gates
            together.wakeups += one.wakeups
            together.later += one.later
            together.not_claimed += one.not_claimed
        return together

    def _take(self, ids: Sequence[int], prepare: Making) -> Taken:
        taken, transaction = Taken(), None
        try:
            with self._database.transaction() as session:
                rows = claim(session, ids)
                if rows and abs(rows[0].claimed_at - self._clock.now()) > MOVED_SECONDS * self._clock.rate:
                    self._clock.read_again()  # it was moved: the database knows the time at which the rows are due
                if reached := self._goals.reached(session, rows) if self._goals is not None else set():
                    rows = [row for row in rows if row.enrollment_id not in reached]
                taken.later = self._prepare_all(rows, prepare, taken)
                if taken.postponed:
                    taken.wakeups = postpone(session, taken.postponed)
                if taken.ready or taken.ended:
                    transaction = self._begin(session, taken)
        except GONE as error:
            if transaction is None:
                raise
            log.warning("nobody answered a COMMIT: reading back", rows=len(ids), error=first_line(error))
            return self._read_back(transaction, ids, taken)
        if reached and self._goals is not None:
            self._goals.end(reached)
        claimed = {row.id for row in rows}
        taken.not_claimed = [row_id for row_id in ids if row_id not in claimed]
        return taken

    def _prepare_all(self, rows: Sequence[Claimed], prepare: Making, taken: Taken) -> list[int]:
        """Make messages out of rows, as many as there is time for; give the rest."""
        lateness = cache(self._clock.lateness)
        started = time.monotonic()
        lease_until = started + self._settings.lease_seconds
        for number, row in enumerate(rows):
            if time.monotonic() > started + LOCKED_SECONDS and number:
                return [later.id for later in rows[number:]]
            if row.channel not in self._types:
                taken.gates.append(row)
                continue
            prepared = prepare(row, max(0.0, lateness(row.due_at)), lease_until)
            if isinstance(prepared, Prepared):
                prepared.lateness = max(0.0, lateness(row.due_at, row.retry_at))
                taken.ready.append(prepared)
            elif isinstance(prepared, Postponed):
                taken.postponed.append(prepared)
            else:
                taken.ended.append(prepared)
        return []

    def _prepared(self, row: Claimed, lateness: float, lease_until: float) -> Prepared | Ending | Postponed:
        """Prepare a row; what goes wrong with it, but not with its data, is tried again later."""
        try:
            return self._prepare(row, lateness, lease_until)
        except GONE:
            raise
        except Exception:
            log.exception("a row could not be prepared", row=row.id, enrollment=row.enrollment_id)
            return _again_later(row, "it could not be prepared; see the log")

    def _begin(self, session: Session, taken: Taken) -> str:
        attempts = [
            Attempt(one.row.id, one.row.fence, one.message.to, one.payload, one.lateness) for one in taken.ready
        ]
        attempts += [Attempt(ending.id, ending.fence, None, None, 0.0) for ending in taken.ended]
        before = time.monotonic()
        for prepared in taken.ready:
            prepared.begun = before
        return begin(session, attempts, self._settings.lease_seconds)

    def _read_back(self, transaction: str, ids: Sequence[int], taken: Taken) -> Taken:
        """Whether what was begun stands, as soon as the database can tell; while it can't, nothing is handed over."""
        deadline = time.monotonic() + self._settings.lease_seconds
        while time.monotonic() < deadline:
            try:
                with self._database.transaction() as session:
                    status = has_committed(session, transaction)
            except GONE:
                status = "in progress"
            if status in ("committed", "aborted"):
                log.info("read back", rows=len(ids), became=status)
            if status == "committed":
                for prepared in taken.ready:
                    prepared.begun = float("-inf")  # much may have happened meanwhile
                return taken
            if status == "aborted":
                return Taken(later=list(ids))
            if status is None:
                break
            time.sleep(PAUSE / 5)
        log.error("nobody knows whether rows were begun: the sweeper will look after them", rows=len(ids))
        return Taken()


def _unwritten(row: Claimed, _lateness: float, _lease_until: float) -> Ending:
    return _again_later(row, "its attempt could not be written; see the log")


def _again_later(row: Claimed, reason: str) -> Ending:
    return Ending(row.id, row.fence, row.channel, RowStatus.PENDING, reason, delay=UNPREPARED_SECONDS)
