"""Tells the world outside what actions have to tell: claimed, begun, handed over and settled in threads of its own."""

import time
from collections.abc import Hashable, Mapping
from dataclasses import replace
from threading import BoundedSemaphore, Lock, Thread
from typing import Final
from urllib.parse import urlsplit

import psycopg
import structlog

from engine.clock import SequenceClock
from engine.database import Database
from engine.metrics import PROVIDER
from engine.outbox.claim import Claimed
from engine.outbox.settle import Ending
from engine.rules.ending import Verdict
from engine.rules.outcome import Outcome
from engine.settings import Settings
from engine.wakeups import Wakeups
from schema.definition import ActionStep
from schema.states import AttemptOutcome, RowStatus
from workers.channels.channel import Call, Channel, Message
from workers.channels.webhook.channel import WebhookChannel
from workers.delivery.ending import ending_of, verdict_on
from workers.delivery.hand_over import HandOver
from workers.delivery.intake import Intake
from workers.delivery.known import Known
from workers.delivery.last_look import LastLook
from workers.delivery.prepared import Prepared
from workers.delivery.settler import GivenUp, Settler
from workers.event_loop import EventLoop
from workers.outward.prepare import PrepareOutward
from workers.outward.turns import Turns

log = structlog.get_logger(__name__)

#: So many calls at once by a worker process, and of those to one receiver.
THREADS: Final = 8
THREADS_OF_ONE: Final = 4

#: So many of them use the database at once: messages are not to wait for its connections.
AT_THE_DATABASE: Final = 2

#: So many wait at most; what there is no room for is brought again by the sweeper.
MOST: Final = 5_000

#: The type of rows.
ACTION: Final = "action"


class Outward:
    """Takes actions that tell somebody, and sees them through."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        wakeups: Wakeups,
        clock: SequenceClock,
        known: Known,
        channels: Mapping[str, Channel],
        loop: EventLoop,
    ) -> None:
        """Prepare; threads are started when there is something to tell. The loop carries it."""
        self._intake = Intake(
            settings, database, clock, PrepareOutward(settings, database, clock, known), types=(ACTION,)
        )
        self._loop = loop
        self._last_look = LastLook(database)
        self._webhooks = WebhookChannel(settings.webhook_openings, settings.provider_timeout, THREADS)
        self._hand = HandOver(settings, self._last_look, {ACTION: _Either(self._webhooks, channels)})
        self._settler = Settler(database, wakeups, clock)
        self._turns: Turns[int] = Turns(THREADS_OF_ONE)
        self._queued: set[int] = set()
        self._lock = Lock()
        self._database_turn = BoundedSemaphore(AT_THE_DATABASE)
        self._threads: list[Thread] = []
        self._stopping = False

    def put(self, row: Claimed, step: ActionStep) -> None:
        """Tell this soon."""
        with self._lock:
            if self._stopping or row.id in self._queued or len(self._queued) >= MOST:
                return
            self._queued.add(row.id)
            if len(self._threads) < min(THREADS, len(self._queued)):
                thread = Thread(target=self._run, name=f"outward-{len(self._threads) + 1}", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._turns.put((row.workspace_id, _receiver(step)), row.id)

    def stop(self, seconds: float) -> None:
        """Begin nothing more: what waits stays `pending`. The database is waited for at most so many real seconds."""
        self._stopping = True
        self._settler.give_up_after(seconds)
        self._turns.close()

    def close(self, seconds: float) -> None:
        """Wait for what is under way, at most so many real seconds."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        self._last_look.close()
        self._webhooks.close()

    def _run(self) -> None:
        while (turn := self._turns.take()) is not None:
            receiver, row_id = turn
            try:
                self._see_through(row_id)
            except GivenUp as error:
                log.warning("stopped with an action not settled: the sweeper will look after it", error=str(error))
            except Exception:
                log.exception("an action was not seen through: the sweeper will look after it", row=row_id)
            finally:
                self._done(receiver, row_id)

    def _done(self, receiver: Hashable, row_id: int) -> None:
        with self._lock:
            self._queued.discard(row_id)
        self._turns.done(receiver)

    def _see_through(self, row_id: int) -> None:
        """Claim and begin; hand over while no transaction is open; settle."""
        with self._database_turn:
            taken = self._intake.take([row_id])
        for ending in taken.ended:
            self._settle(ending)
        for prepared in taken.ready:
            started = time.monotonic()
            outcome = self._loop.run(self._hand(prepared))
            PROVIDER.labels("webhook" if _is_call(prepared.message) else "notify").observe_all(
                [time.monotonic() - started]
            )
            self._settle(_ending(prepared, outcome))
        self._settler.look_again(taken.not_claimed)

    def _settle(self, ending: Ending) -> None:
        with self._database_turn:
            try:
                self._settler.settle([ending])
            except psycopg.Error:
                log.exception("not settled: the sweeper will look after the row", row=ending.id)


class _Either:
    """Calls of webhooks by one channel, emails to people by the other."""

    def __init__(self, webhooks: WebhookChannel, channels: Mapping[str, Channel]) -> None:
        self._webhooks = webhooks
        self._channels = channels

    async def send(self, message: Message) -> Outcome:
        channel = self._webhooks if isinstance(message, Call) else self._channels["email"]
        return await channel.send(message)


def _is_call(message: Message) -> bool:
    return isinstance(message, Call)


def _receiver(step: ActionStep) -> str:
    return "mail" if step.webhook is None else urlsplit(step.webhook.url).netloc


def _ending(prepared: Prepared, outcome: Outcome) -> Ending:
    """What becomes of the row. A call that nobody answered is one that was refused for now: its key makes that safe.

    Whatever the receiver says concerns neither the contact nor the messages of the workspace.
    """
    called = _is_call(prepared.message)
    if called and outcome.outcome is AttemptOutcome.ACCEPTED:
        verdict = Verdict(RowStatus.DONE, outcome.detail)
    elif called and outcome.outcome is AttemptOutcome.UNANSWERED:
        verdict = verdict_on(prepared, replace(outcome, outcome=AttemptOutcome.DEFERRED))
    else:
        verdict = verdict_on(prepared, outcome)
    return ending_of(prepared, outcome, verdict)._replace(suppress=None, exit_reason=None, pauses=False)
