"""The way of a row through a worker process: taken in, handed over, settled.

One thread asks the database for all of that, turn by turn, and each statement carries what has come together since
the turn before; several threads would wait for each other and for the interpreter longer than they save. As many lanes
as there may be messages in flight hand them over.
"""

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

import psycopg
import structlog

from engine.database import Database
from engine.metrics import LATENESS, PROVIDER, Histogram
from engine.outbox.settle import Ending
from engine.settings import Settings
from schema.messages import ROWS_PER_MESSAGE
from workers.channels.channel import Channel
from workers.delivery.answer import Answer
from workers.delivery.ending import ending_of, verdict_on
from workers.delivery.hand_over import HandOver
from workers.delivery.intake import PAUSE, Intake
from workers.delivery.lanes import Lanes
from workers.delivery.prepared import Prepared
from workers.delivery.room import Room
from workers.delivery.settler import GivenUp, Settler
from workers.gates.gates import Gates

log = structlog.get_logger(__name__)

#: At most so many rows in a statement.
ROWS_PER_STATEMENT: Final = 500

#: Real seconds for which a process that is told to stop goes on trying to settle while the database is gone.
STOP_SECONDS: Final = 10.0


class Pipeline:
    """Delivers rows. `take` is called from many threads; `stop` ends everything cleanly."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        channels: Mapping[str, Channel],
        intake: Intake,
        settler: Settler,
        gates: Gates,
    ) -> None:
        """Start the threads."""
        self._settings = settings
        self._channels = channels
        self._hand = HandOver(settings, database, channels)
        self._intake = intake
        self._settler = settler
        self._gates = gates
        self._room = Room(2 * settings.in_flight + 2 * ROWS_PER_MESSAGE)
        self._news: SimpleQueue[Sequence[int] | Answer | None] = SimpleQueue()
        self._told: deque[int] = deque()
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

    def take_no_more(self) -> None:
        """Whoever brings rows, or waits to bring some, is sent away: they stay `pending`."""
        self._stopping = True
        self._settler.give_up_after(STOP_SECONDS)
        self._gates.stop()
        self._room.close()
        self._news.put(None)

    def stop(self) -> None:
        """Take no more rows, wait for what is in flight, settle it, and close."""
        self.take_no_more()
        self._thread.join(self._settings.provider_timeout + self._settings.lease_seconds)
        if self._thread.is_alive():
            log.warning("stopped with rows in flight: the sweeper will look after them", rows=self._room.held)
        self._lanes.stop()
        self._gates.close(self._settings.lease_seconds)
        for channel in self._channels.values():
            channel.close()

    def _run(self) -> None:
        while not (self._stopping and self._room.held == 0):
            try:
                self._turn()
            except GivenUp as error:
                log.warning("stopped with rows not settled: the sweeper will look after them", error=str(error))
                return
            except Exception:
                log.exception("a turn of the delivery failed: the sweeper will look after its rows")
                time.sleep(PAUSE)

    def _turn(self) -> None:
        answers = self._listen()
        if self._stopping:
            self._forget_told()
        else:
            self._take(self._next_told())
        self._settle(answers)

    def _listen(self) -> list[Answer]:
        """Hear what was told and answered since the last turn; wait for news only if nothing else is to be done."""
        answers: list[Answer] = []
        try:
            news = self._news.get(block=not self._may_take())
            while True:
                if isinstance(news, Answer):
                    answers.append(news)
                elif news is not None:
                    self._told.extend(news)
                news = self._news.get_nowait()
        except Empty:
            self._in_flight -= sum(answer.seconds is not None for answer in answers)
            return answers

    def _may_take(self) -> int:
        """How many rows may be taken in now: each goes straight to a lane."""
        return min(len(self._told), self._settings.in_flight - self._in_flight, ROWS_PER_STATEMENT)

    def _next_told(self) -> list[int]:
        return [self._told.popleft() for _ in range(self._may_take())]

    def _forget_told(self) -> None:
        """Leave what was not begun as it is, `pending`, for another worker."""
        told = list(self._told)
        self._told.clear()
        self._room.leave(len(told))
        self._settler.look_again(told)

    def _take(self, ids: list[int]) -> None:
        """Take rows in, and hand over those that may go."""
        if not ids:
            return
        try:
            taken = self._intake.take(ids)
        except Exception:
            self._room.leave(len(ids))
            raise
        self._in_flight += len(taken.ready)
        self._lanes.put(taken.ready)
        self._gates.put(taken.gates)
        for ending in taken.ended:
            self._news.put(Answer(ending, None))
        self._told.extendleft(reversed(taken.later))
        self._room.leave(len(ids) - len(taken.ready) - len(taken.ended) - len(taken.later))
        self._settler.look_again(taken.not_claimed)
        self._settler.wake(taken.wakeups)
        _observe(LATENESS, ((prepared.row.channel, prepared.lateness) for prepared in taken.ready))

    def _hand_over(self, prepared: Prepared) -> None:
        """Hand a row over, in a lane."""
        started = time.monotonic()
        outcome = self._hand(prepared)
        self._news.put(Answer(ending_of(prepared, outcome, verdict_on(prepared, outcome)), time.monotonic() - started))

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


def _observe(histogram: Histogram, measured: Iterable[tuple[str, float]]) -> None:
    """Count real seconds by channel."""
    by_channel: dict[str, list[float]] = defaultdict(list)
    for channel, seconds in measured:
        by_channel[channel].append(max(0.0, seconds))
    for channel, amounts in by_channel.items():
        histogram.labels(channel).observe_all(amounts)
