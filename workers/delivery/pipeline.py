"""The way of a row through a worker process: claimed, handed over, settled.

One thread claims, one settles, and the event loop carries what is in flight between them. Each statement is for what
has come together meanwhile; the threads wait for the database, not for each other.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import Final

import psycopg
import structlog

from engine.database import Database
from engine.metrics import PROVIDER
from engine.outbox.settle import Ending
from engine.settings import Settings
from workers.channels.channel import Channel
from workers.delivery.answer import Answer, Answers
from workers.delivery.carrier import Carrier
from workers.delivery.claimer import ROWS_PER_STATEMENT, Claimer, room_for
from workers.delivery.hand_over import HandOver
from workers.delivery.intake import PAUSE, Intake
from workers.delivery.last_look import LastLook
from workers.delivery.room import Room
from workers.delivery.settler import GivenUp, Settler
from workers.event_loop import EventLoop
from workers.gates.gates import Gates

log = structlog.get_logger(__name__)

#: Real seconds for which a process that is told to stop goes on trying to settle while the database is gone.
STOP_SECONDS: Final = 10.0

#: Real seconds for which answers are collected, while others are on their way.
COLLECT_SECONDS: Final = 0.01


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
        loop: EventLoop,
    ) -> None:
        """Start the threads. The loop ends with the pipeline."""
        self._settings = settings
        self._channels = channels
        self._settler = settler
        self._gates = gates
        self._loop = loop
        self._room = Room(room_for(settings.in_flight))
        self._answers = Answers()
        self._last_look = LastLook(database)
        self._claimer = Claimer(settings.in_flight, intake, settler, gates, self._room, self._answers)
        hand_over = HandOver(settings, self._last_look, channels)
        self._carrier = Carrier(loop, settings.in_flight, hand_over, self._answers, self._claimer.look)
        self._claimer.bring_to(self._carrier)
        self._stopping = False
        self._threads = [
            Thread(target=self._claim, name="claim", daemon=True),
            Thread(target=self._settle, name="settle", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def take(self, ids: Sequence[int]) -> None:
        """See those of the rows through that may go out now; wait as long as too many are under way."""
        if not self._stopping:
            self._room.enter(len(ids))
            self._claimer.tell(ids)
        if self._stopping:
            self._forget()

    def take_no_more(self) -> None:
        """Whoever brings rows, or waits to bring some, is sent away: they stay `pending`."""
        self._stopping = True
        self._settler.give_up_after(STOP_SECONDS)
        self._gates.stop()
        self._room.close()
        self._claimer.stop()
        self._answers.tell()

    def stop(self) -> None:
        """Take no more rows, wait for what is in flight, settle it, and close."""
        self.take_no_more()
        deadline = time.monotonic() + self._settings.provider_timeout + self._settings.lease_seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            log.warning("stopped with rows in flight: the sweeper will look after them", rows=self._room.held)
        self._gates.close(self._settings.lease_seconds)
        self._last_look.close()
        for channel in self._channels.values():
            self._loop.run(channel.close())
        self._loop.close()

    def _claim(self) -> None:
        while not self._stopping:
            try:
                self._claimer.turn()
            except Exception:
                log.exception("a claim failed: the sweeper will look after its rows")
                time.sleep(PAUSE)
        self._forget()

    def _forget(self) -> None:
        """Leave what was not begun for another worker."""
        self._claimer.forget()
        self._answers.tell()

    def _settle(self) -> None:
        while not (self._stopping and self._room.held == 0):
            self._answers.wait()
            if self._carrier.in_flight and not self._stopping:
                time.sleep(COLLECT_SECONDS)
            try:
                self._settle_all(self._answers.take())
            except GivenUp as error:
                log.warning("stopped with rows not settled: the sweeper will look after them", error=str(error))
                return
            except Exception:
                log.exception("rows were not settled: the sweeper will look after them")
                time.sleep(PAUSE)

    def _settle_all(self, answers: list[Answer]) -> None:
        for first in range(0, len(answers), ROWS_PER_STATEMENT):
            part = [answer.ending for answer in answers[first : first + ROWS_PER_STATEMENT]]
            try:
                self._settle_together(part)
            finally:
                self._room.leave(len(part))
        by_channel: dict[str, list[float]] = defaultdict(list)
        for answer in answers:
            if answer.seconds is not None:
                by_channel[answer.ending.channel].append(answer.seconds)
        for channel, seconds in by_channel.items():
            PROVIDER.labels(channel).observe_all(seconds)

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
