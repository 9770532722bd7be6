"""The way of a row through a worker process: claim, prepare, begin, hand over, settle.

One thread asks the database for all of that, turn by turn, and each statement carries what has come together since
the turn before; several threads would wait for each other and for the interpreter longer than they save. As many lanes
as there may be messages in flight hand them over.
"""

import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

import psycopg
import structlog

from engine.clock import WRONG_CLOCK, SequenceClock
from engine.database import GONE, Database, first_line
from engine.metrics import DUPLICATES_PREVENTED, LATENESS, PROVIDER, Histogram
from engine.outbox.begin import Attempt, begin, still_good
from engine.outbox.claim import Claimed, claim
from engine.outbox.settle import Ending
from engine.rules.ending import judge
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.messages import ROWS_PER_MESSAGE
from schema.states import AttemptOutcome, RowStatus
from workers.channels.channel import Channel
from workers.delivery.answer import Answer
from workers.delivery.lanes import Lanes
from workers.delivery.prepare import Prepare
from workers.delivery.prepared import Prepared
from workers.delivery.room import Room
from workers.delivery.settler import Settler

log = structlog.get_logger(__name__)

#: At most so many rows in a statement.
ROWS_PER_STATEMENT: Final = 500

#: Real seconds: between two tries to reach a database that is gone, and before a row that could not be prepared is
#: tried again.
PAUSE: Final = 0.5
UNPREPARED_SECONDS: Final = 60.0

#: Real seconds after which an attempt that was begun is looked at again before it is handed over: somebody may have
#: said STOP while this process was held up. This bounds the time from a STOP to the last hand-over.
FRESH: Final = 0.25


class Pipeline:
    """Delivers rows. `take` is called from many threads; `stop` ends everything cleanly."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: SequenceClock,
        channels: Mapping[str, Channel],
        prepare: Prepare,
        settler: Settler,
    ) -> None:
        """Start the threads."""
        self._settings = settings
        self._database = database
        self._clock = clock
        self._channels = channels
        self._prepare = prepare
        self._settler = settler
        self._room = Room(2 * settings.in_flight + 2 * ROWS_PER_MESSAGE)
        self._news: SimpleQueue[Sequence[int] | Answer | None] = SimpleQueue()
        self._told: deque[int] = deque()
        self._ready: deque[Prepared] = deque()
        self._in_flight = 0
        self._stopping = False
        self._lanes = Lanes(settings.in_flight, self._hand_over)
        self._thread = Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    def take(self, ids: Sequence[int]) -> None:
        """See those of the rows through that may go out now; wait as long as too many are under way."""
        if not self._stopping:
            self._room.enter(len(ids))
            self._news.put(ids)

    def stop(self) -> None:
        """Take no more rows, release those not begun, wait for what is in flight, settle it, and close."""
        self._stopping = True
        self._news.put(None)
        self._thread.join(self._settings.provider_timeout + self._settings.lease_seconds)
        if self._thread.is_alive():
            log.warning("stopped with rows in flight: the sweeper will look after them", rows=self._room.held)
        self._lanes.stop()
        for channel in self._channels.values():
            channel.close()

    def _run(self) -> None:
        while not (self._stopping and self._room.held == 0):
            try:
                self._turn()
            except Exception:
                log.exception("a turn of the delivery failed: the sweeper will look after its rows")
                time.sleep(PAUSE)

    def _turn(self) -> None:
        answers = self._listen()
        self._begin(self._next_ready())
        self._settle(answers)
        self._claim(self._next_told())

    def _listen(self) -> list[Answer]:
        """Hear what was told and answered since the last turn; wait for news only if nothing else is to be done."""
        answers: list[Answer] = []
        try:
            news = self._news.get(block=not (self._may_begin() or self._may_claim()))
            while True:
                if isinstance(news, Answer):
                    answers.append(news)
                elif news is not None:
                    self._told.extend(news)
                news = self._news.get_nowait()
        except Empty:
            self._in_flight -= sum(answer.seconds is not None for answer in answers)
            return answers

    def _may_claim(self) -> int:
        """How many rows may be claimed now: no more wait under a lease than may be in flight."""
        if not self._stopping and len(self._ready) >= self._settings.in_flight:
            return 0
        return min(len(self._told), ROWS_PER_STATEMENT)

    def _may_begin(self) -> int:
        """How many rows may be handed over now."""
        free = len(self._ready) if self._stopping else self._settings.in_flight - self._in_flight
        return min(len(self._ready), free, ROWS_PER_STATEMENT)

    def _next_told(self) -> list[int]:
        return [self._told.popleft() for _ in range(self._may_claim())]

    def _next_ready(self) -> list[Prepared]:
        return [self._ready.popleft() for _ in range(self._may_begin())]

    def _claim(self, ids: list[int]) -> None:
        """Claim those of the rows that may go out now, and make messages out of them."""
        if not ids:
            return
        try:
            rows, lease_until = self._claimed(ids)
        except psycopg.Error:
            self._room.leave(len(ids))
            raise
        lateness = cache(self._clock.lateness)
        for row in rows:
            prepared = self._prepared(row, lateness, lease_until)
            if isinstance(prepared, Prepared):
                self._ready.append(prepared)
            else:
                self._news.put(Answer(prepared, None))
        if len(rows) < len(ids):
            self._room.leave(len(ids) - len(rows))
            claimed = {row.id for row in rows}
            self._settler.look_again([row_id for row_id in ids if row_id not in claimed])

    def _claimed(self, ids: list[int]) -> tuple[list[Claimed], float]:
        """Claim, as soon as the database is there; also tell until when the lease holds."""
        while not self._stopping:
            lease_until = time.monotonic() + self._settings.lease_seconds
            try:
                if self._clock.apart > WRONG_CLOCK:
                    break
                with self._database.transaction() as session:
                    return claim(session, ids, self._settings.lease_seconds), lease_until
            except GONE as error:
                log.warning("not claimed yet: the database is gone", rows=len(ids), error=first_line(error))
                time.sleep(PAUSE)
        time.sleep(PAUSE)
        return [], 0.0

    def _prepared(self, row: Claimed, lateness: Callable[[float], float], lease_until: float) -> Prepared | Ending:
        """Prepare a row; what goes wrong with it, but not with its data, is tried again later."""
        try:
            return self._prepare(row, lateness(row.due_at), lease_until)
        except GONE as error:
            log.warning("a row is put back: the database is gone", row=row.id, error=first_line(error))
            return Ending(row.id, row.fence, row.channel, RowStatus.PENDING, "the database was gone")
        except Exception:
            log.exception("a row could not be prepared", row=row.id, enrollment=row.enrollment_id)
            reason = "it could not be prepared; see the log"
            return Ending(row.id, row.fence, row.channel, RowStatus.PENDING, reason, delay=UNPREPARED_SECONDS)

    def _begin(self, ready: list[Prepared]) -> None:
        """Write the attempts; hand over what may be handed over, and release the rest."""
        if not ready:
            return
        if self._stopping:
            self._release(ready, "the worker is stopping")
            return
        before = time.monotonic()
        try:
            lateness = cache(self._clock.lateness)
            attempts = [_attempt(prepared, lateness) for prepared in ready]
            with self._database.transaction() as session:
                allowed = begin(session, attempts)
        except GONE as error:
            log.warning("attempts not begun: the database is gone", rows=len(ready), error=first_line(error))
            self._release(ready, "the database was gone")
            return
        except psycopg.Error:
            self._begin_one_by_one(ready)
            return
        _observe(
            LATENESS,
            ((prepared.row.channel, attempt.lateness) for prepared, attempt in zip(ready, attempts, strict=True)),
        )
        if len(allowed) < len(ready):
            refused = [prepared for prepared in ready if prepared.row.id not in allowed]
            ready = [prepared for prepared in ready if prepared.row.id in allowed]
            DUPLICATES_PREVENTED.labels("begin").inc(len(refused))
            self._release(refused, "lease or enrollment ended before the hand-over")
        for prepared in ready:
            prepared.begun = before
        self._in_flight += len(ready)
        self._lanes.put(ready)

    def _begin_one_by_one(self, ready: list[Prepared]) -> None:
        """Find the row that the database does not take, and let the others go."""
        if len(ready) > 1:
            for prepared in ready:
                self._begin([prepared])
            return
        row = ready[0].row
        log.exception("an attempt could not be written", row=row.id, enrollment=row.enrollment_id)
        reason = "its attempt could not be written; see the log"
        self._news.put(
            Answer(Ending(row.id, row.fence, row.channel, RowStatus.PENDING, reason, delay=UNPREPARED_SECONDS), None)
        )

    def _release(self, rows: Iterable[Prepared], reason: str) -> None:
        """Give rows back that were never handed over."""
        for prepared in rows:
            row = prepared.row
            held = Outcome(AttemptOutcome.HELD, detail=reason)
            ending = Ending(
                row.id, row.fence, row.channel, RowStatus.PENDING, reason, outcome=held.outcome, detail=reason
            )
            self._news.put(Answer(ending, None))

    def _hand_over(self, prepared: Prepared) -> None:
        """Hand a row over, in a lane. The lease is the last thing that is looked at: to ask the database takes time."""
        started = time.monotonic()
        if started > prepared.begun + FRESH and not self._still_good(prepared.row):
            DUPLICATES_PREVENTED.labels("stop").inc()
            outcome = Outcome(AttemptOutcome.HELD, detail="the enrollment ended before the hand-over")
        elif time.monotonic() + self._settings.provider_timeout > prepared.lease_until:
            DUPLICATES_PREVENTED.labels("lease").inc()
            outcome = Outcome(AttemptOutcome.HELD, detail="the lease was too short to risk a time-out")
        else:
            outcome = self._send(prepared)
        self._news.put(Answer(_ending(prepared, outcome), time.monotonic() - started))

    def _still_good(self, row: Claimed) -> bool:
        """Look again; without a database nobody can tell."""
        try:
            with self._database.transaction() as session:
                return still_good(session, row.id, row.fence)
        except GONE:
            return False

    def _send(self, prepared: Prepared) -> Outcome:
        row = prepared.row
        try:
            return self._channels[row.channel].send(prepared.message)
        except Exception:
            log.exception("a channel failed", channel=row.channel, row=row.id, enrollment=row.enrollment_id)
            return Outcome(AttemptOutcome.UNANSWERED, detail="the channel failed; see the log")

    def _settle(self, answers: list[Answer]) -> None:
        for first in range(0, len(answers), ROWS_PER_STATEMENT):
            part = [answer.ending for answer in answers[first : first + ROWS_PER_STATEMENT]]
            self._settle_together(part)
            self._room.leave(len(part))
        _observe(
            PROVIDER,
            ((answer.ending.channel, answer.seconds) for answer in answers if answer.seconds is not None),
        )

    def _settle_together(self, endings: list[Ending]) -> None:
        """Settle in one statement; one by one if the database does not take one of them."""
        try:
            self._settler.settle(endings)
        except psycopg.Error:
            if len(endings) > 1:
                for ending in endings:
                    self._settle_together([ending])
            else:
                log.exception("not settled: the sweeper will look after the row", row=endings[0].id)


def _attempt(prepared: Prepared, lateness: Callable[[float, float | None], float]) -> Attempt:
    row = prepared.row
    return Attempt(row.id, row.fence, row.recipient or "", prepared.payload, lateness(row.due_at, row.retry_at))


def _ending(prepared: Prepared, outcome: Outcome) -> Ending:
    verdict = judge(outcome, prepared.standing, random.random())  # noqa: S311 (spreads tries, hides nothing)
    return Ending(
        prepared.row.id,
        prepared.row.fence,
        prepared.row.channel,
        verdict.status,
        verdict.reason,
        verdict.tries,
        verdict.delay,
        outcome.outcome,
        outcome.provider_id,
        outcome.error_code,
        outcome.detail,
        outcome.suppress,
        verdict.exit_reason,
    )


def _observe(histogram: Histogram, measured: Iterable[tuple[str, float]]) -> None:
    """Count real seconds by channel."""
    by_channel: dict[str, list[float]] = defaultdict(list)
    for channel, seconds in measured:
        by_channel[channel].append(max(0.0, seconds))
    for channel, amounts in by_channel.items():
        histogram.labels(channel).observe_all(amounts)
