"""One worker process: dramatiq's threads, the promoter, the sweeper and the pipeline, until told to stop."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Event, Thread

import dramatiq
import structlog
from dramatiq import Worker
from pydantic import SecretStr

from engine.broker import Broker
from engine.clock import SequenceClock
from engine.database import KEPT_PLANS, NO_IDLE_LOCKS, Database
from engine.errors import Unavailable
from engine.logs import set_up_logs
from engine.settings import Settings, read_settings
from engine.wakeups import Wakeups
from engine.wakeups.news import DUE, QUEUED, News
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE
from workers.channels import open_channels
from workers.channels.channel import Channel
from workers.delivery.goals import Goals
from workers.delivery.intake import Intake
from workers.delivery.known import Known
from workers.delivery.pipeline import Pipeline
from workers.delivery.prepare import Prepare
from workers.delivery.settler import Settler
from workers.event_loop import EventLoop
from workers.gates.gates import Gates
from workers.gates.handlers import handlers
from workers.loop import Loop
from workers.outward.outward import AT_THE_DATABASE, Outward
from workers.promoter import Promoter
from workers.reconciler import Reconciler
from workers.sweeper import Sweeper

log = structlog.get_logger("workers.process")  # it is run as a module: its own name is __main__

#: Milliseconds between two looks at an empty queue; news of it ends the wait. Dramatiq's threads look that often
#: whether they are to end.
POLL_MILLISECONDS = 500

#: Objects that may be made and not freed before the interpreter looks for cycles: what a turn of the delivery makes is
#: freed at its end, and to look through it again and again costs a tenth of a worker's time (docs/benchmarks.md).
GARBAGE = 100_000

#: Real seconds between two looks whether it is told to end.
LOOK = 0.5

#: Milliseconds for which a process that is told to end waits for dramatiq's threads: one that can't acknowledge a
#: message tries for as long as Redis is gone. The message is delivered again, and finds its rows claimed.
THREADS_END_MILLISECONDS = 5_000


def run(settings: Settings, threads: int, channels: Mapping[str, Channel], stop: Event, host: str = "") -> None:
    """Work until told to stop, then end everything cleanly: no message is begun after that.

    `host` names the supervisor that has started this process.
    """
    database = Database(
        _url(settings.database_url),
        size=threads + 6 + AT_THE_DATABASE,
        name="cadenza worker",
        options=f"{KEPT_PLANS} {NO_IDLE_LOCKS}",
    )
    wakeups = Wakeups(_url(settings.redis_url))
    clock = SequenceClock(database)
    known = Known(database)
    event_loop = EventLoop()
    pipeline = Pipeline(
        settings,
        database,
        channels,
        Intake(settings, database, clock, Prepare(settings, clock, known), goals=Goals(database, known)),
        Settler(database, wakeups, clock),
        Gates(
            database,
            wakeups,
            clock,
            known,
            handlers(settings, known),
            Outward(settings, database, wakeups, clock, known, channels, event_loop),
        ),
        event_loop,
    )
    loops = [
        promoting := Loop("promote", Promoter(wakeups, clock).turn),
        Loop("sweep", Sweeper(database, wakeups, clock, settings.sweep_seconds, host).turn),
        Loop("reconcile", Reconciler(settings, database, wakeups, clock, channels, known).turn),
    ]
    broker = _broker(_url(settings.redis_url), pipeline.take)
    news = News(_url(settings.redis_url), {DUE: promoting.wake, QUEUED: broker.arrived.set})
    worker = Worker(broker, worker_threads=threads, worker_timeout=POLL_MILLISECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    worker.start()
    while not stop.wait(LOOK):  # a signal that another thread was given waits for the main one to wake
        pass
    pipeline.take_no_more()
    news.end()
    log.info("told to end: no more rows are taken", pid=os.getpid())
    for loop in loops:
        loop.end()
    worker.stop(THREADS_END_MILLISECONDS)
    for loop in loops:
        loop.stop()
    pipeline.stop()
    news.stop()
    broker.client.close()
    wakeups.close()
    database.close()


def _broker(url: str, take: Callable[[list[int]], None]) -> Broker:
    broker = Broker(url)
    dramatiq.actor(actor_name=DELIVER_ACTOR, queue_name=DELIVERY_QUEUE, broker=broker)(take)
    return broker


def main() -> None:
    """The process that `cadenza worker` starts: ends by SIGTERM, or when its standard input closes."""
    settings = read_settings()
    set_up_logs(settings.log_level)
    stop = Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_until_parent_is_gone, args=(stop,), daemon=True).start()
    run(settings, int(sys.argv[1]), open_channels(settings), stop, host=sys.argv[2])


def _until_parent_is_gone(stop: Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()


def _url(secret: SecretStr | None) -> str:
    if secret is None:
        raise Unavailable("CADENZA_DATABASE_URL and CADENZA_REDIS_URL must be set for a worker process")
    return secret.get_secret_value()


if __name__ == "__main__":
    main()
