"""The way of a row through a worker process: claim, prepare, begin, hand over, settle.

Claiming runs in dramatiq's threads; one thread begins attempts, as many lanes as there may be messages in
flight hand them over, and one thread settles. Each statement carries what has come together since the last.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, TypeVar

import structlog

from engine.clock import WRONG_CLOCK, SequenceClock
from engine.database import GONE, Database, first_line
from engine.metrics import DUPLICATES_PREVENTED, LATENESS, PROVIDER
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import Claimed, claim
from engine.outbox.settle import Ending
from engine.rules.ending import judge
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.messages import ROWS_PER_MESSAGE
from schema.states import AttemptOutcome, RowStatus
from workers.channels.channel import Channel
from workers.delivery.prepare import Prepare
from workers.delivery.prepared import Prepared
from workers.delivery.room import Room
from workers.delivery.settler import Settler

log = structlog.get_logger(__name__)

Item = TypeVar("Item")

#: At most so many rows in a statement that begins or settles.
ROWS_PER_STATEMENT: Final = 500

#: Real seconds: between two tries to reach a database that is gone, and before a row that could not be prepared is
#: tried again.
PAUSE: Final = 0.5
UNPREPARED_SECONDS: Final = 60.0


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
        self._room = Room(settings.in_flight + 2 * ROWS_PER_MESSAGE)
        self._ready: SimpleQueue[Prepared | None] = SimpleQueue()
        self._begun: SimpleQueue[Prepared | None] = SimpleQueue()
        self._endings: SimpleQueue[Ending | None] = SimpleQueue()
        self._slots: SimpleQueue[None] = SimpleQueue()
        for _ in range(settings.in_flight):
            self._slots.put(None)
        self._stopping = False
        self._lanes: list[Thread] = []
        self._beginner = _thread("begin", self._begin_all)
        self._settling = _thread("settle", self._settle_all)

    def take(self, ids: Sequence[int]) -> None:
        """Claim those of the rows that may go out now, and see them through."""
        if self._stopping:
            return
        self._room.enter(len(ids))
        rows, lease_until = self._claim(ids)
        self._room.leave(len(ids) - len(rows))
        for row in rows:
            prepared = self._prepared(row, lease_until)
            if isinstance(prepared, Ending):
                self._endings.put(prepared)
            else:
                self._ready.put(prepared)
        if len(rows) < len(ids):
            claimed = {row.id for row in rows}
            self._settler.look_again([row_id for row_id in ids if row_id not in claimed])

    def _claim(self, ids: Sequence[int]) -> tuple[list[Claimed], float]:
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

    def _prepared(self, row: Claimed, lease_until: float) -> Prepared | Ending:
        """Prepare a row; what goes wrong with it, but not with its data, is tried again later."""
        try:
            return self._prepare(row, lease_until)
        except Exception:
            log.exception("a row could not be prepared", row=row.id, enrollment=row.enrollment_id)
            reason = "it could not be prepared; see the log"
            return Ending(row.id, row.fence, row.channel, RowStatus.PENDING, reason, delay=UNPREPARED_SECONDS)

    def stop(self) -> None:
        """Take no more rows, release those not begun, wait for what is in flight, settle it, and close."""
        self._stopping = True
        self._ready.put(None)
        self._beginner.join()
        if not self._room.wait_empty(self._settings.provider_timeout + self._settings.lease_seconds):
            log.warning("stopped with rows in flight: the sweeper will look after them", rows=self._room.held)
        for _ in self._lanes:
            self._begun.put(None)
        self._endings.put(None)
        self._settling.join()
        for channel in self._channels.values():
            channel.close()

    def _begin_all(self) -> None:
        while (first := self._ready.get()) is not None:
            ready = [first, *self._more_ready()]
            if self._stopping:
                self._release(ready, "the worker is stopping")
                continue
            begun = self._begin(ready)
            for _ in range(len(ready) - len(begun)):
                self._slots.put(None)
            self._open_lanes()
            for prepared in begun:
                self._begun.put(prepared)

    def _more_ready(self) -> list[Prepared]:
        """Rows beside the first, as many as there are slots; a slot is taken for each, and for the first."""
        ready: list[Prepared] = []
        self._slots.get()
        try:
            while len(ready) < ROWS_PER_STATEMENT:
                self._slots.get_nowait()
                try:
                    prepared = self._ready.get_nowait()
                except Empty:
                    self._slots.put(None)
                    break
                if prepared is None:
                    self._slots.put(None)
                    self._ready.put(None)
                    break
                ready.append(prepared)
        except Empty:
            pass
        return ready

    def _begin(self, ready: list[Prepared]) -> list[Prepared]:
        """Write the attempts; give back what may be handed over, and release the rest."""
        attempts = [
            Attempt(
                prepared.row.id,
                prepared.row.fence,
                prepared.row.recipient or "",
                prepared.payload,
                self._clock.lateness(prepared.row.due_at, prepared.row.retry_at),
            )
            for prepared in ready
        ]
        try:
            with self._database.transaction() as session:
                allowed = begin(session, attempts)
        except GONE as error:
            log.warning("attempts not begun: the database is gone", rows=len(ready), error=str(error))
            self._release(ready, "the database was gone")
            return []
        for attempt, prepared in zip(attempts, ready, strict=True):
            LATENESS.labels(prepared.row.channel).observe(max(0.0, attempt.lateness))
        refused = [prepared for prepared in ready if prepared.row.id not in allowed]
        if refused:
            DUPLICATES_PREVENTED.labels("begin").inc(len(refused))
            self._release(refused, "lease or enrollment ended before the hand-over")
        return [prepared for prepared in ready if prepared.row.id in allowed]

    def _release(self, rows: Sequence[Prepared], reason: str) -> None:
        """Give rows back that were never handed over."""
        for prepared in rows:
            self._endings.put(
                Ending(
                    prepared.row.id,
                    prepared.row.fence,
                    prepared.row.channel,
                    RowStatus.PENDING,
                    reason,
                    outcome=AttemptOutcome.HELD,
                    detail=reason,
                )
            )

    def _open_lanes(self) -> None:
        """One lane for each message in flight."""
        in_flight = self._settings.in_flight - self._slots.qsize()
        while len(self._lanes) < in_flight:
            self._lanes.append(_thread(f"lane-{len(self._lanes) + 1}", self._hand_over_all))

    def _hand_over_all(self) -> None:
        while (prepared := self._begun.get()) is not None:
            ending = self._hand_over(prepared)
            self._slots.put(None)
            self._endings.put(ending)

    def _hand_over(self, prepared: Prepared) -> Ending:
        row = prepared.row
        started = time.monotonic()
        if started + self._settings.provider_timeout > prepared.lease_until:
            DUPLICATES_PREVENTED.labels("lease").inc()
            return _ending(prepared, Outcome(AttemptOutcome.HELD, detail="the lease was too short to risk a time-out"))
        try:
            outcome = self._channels[row.channel].send(prepared.message)
        except Exception:
            log.exception("a channel failed", channel=row.channel, row=row.id, enrollment=row.enrollment_id)
            outcome = Outcome(AttemptOutcome.UNANSWERED, detail="the channel failed; see the log")
        PROVIDER.labels(row.channel).observe(time.monotonic() - started)
        return _ending(prepared, outcome)

    def _settle_all(self) -> None:
        while (first := self._endings.get()) is not None:
            endings = [first, *_drain(self._endings)]
            self._settler.settle([ending for ending in endings if ending is not None])
            self._room.leave(sum(ending is not None for ending in endings))
            if None in endings:
                return


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


def _drain(queue: "SimpleQueue[Item]") -> list[Item]:
    """What else has come, up to a statement's worth."""
    items: list[Item] = []
    try:
        while len(items) < ROWS_PER_STATEMENT - 1:
            items.append(queue.get_nowait())
    except Empty:
        pass
    return items


def _thread(name: str, run: Callable[[], None]) -> Thread:
    thread = Thread(target=run, name=f"delivery-{name}", daemon=True)
    thread.start()
    return thread
