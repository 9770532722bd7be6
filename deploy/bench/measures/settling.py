"""From due to settled, with a provider in process: one that answers at once, and one that takes its time."""

import time
from statistics import median
from typing import Final

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from deploy.bench.children import children, wait_until
from deploy.bench.drain import rate, settled_a_second, wait_until_settled
from deploy.bench.ground import Ground
from deploy.bench.measure import REPEATS, Asked, Result, by_turns
from deploy.bench.noop import ACTOR, REDIS_URL
from deploy.bench.sequences import TWO_STEPS
from deploy.bench.workers import IN_FLIGHT, worker_processes
from deploy.cli.session import required

#: What the slow provider takes, in real seconds.
SLOW_SECONDS: Final = 0.05


def settled_vs_noop(ground: Ground) -> Result:
    """Rows claimed, rendered, handed over and settled, against dramatiq's own actor that does nothing."""
    rows, messages = ground.count(40_000), ground.count(10_000)
    mine, dramatiqs = by_turns(lambda: _settle(ground, rows, 0), lambda: _noop(ground, messages))
    detail = f"{mine:,.0f} rows/s against {dramatiqs:,.0f} messages/s"
    return Result("settled_vs_noop", mine / dramatiqs, "ratio", Asked(">=", 6), detail)


def slow_provider_vs_ideal(ground: Ground) -> Result:
    """A provider that takes 50 ms, 512 in flight, against 512 messages every 50 ms."""
    rows = ground.count(40_000)
    mine = median(_settle(ground, rows, SLOW_SECONDS) for _ in range(REPEATS))
    ideal = IN_FLIGHT / SLOW_SECONDS
    detail = f"{mine:,.0f} a second of {ideal:,.0f}"
    return Result("slow_provider_vs_ideal", mine / ideal, "ratio", Asked(">=", 0.9), detail)


def _settle(ground: Ground, count: int, provider_seconds: float) -> float:
    """Rows settled in a second: all are due, and their wake-ups come at once."""
    ground.empty()
    stretch = ground.sequence(TWO_STEPS)
    contacts = ground.contacts(count)
    with worker_processes(ground, in_flight=IN_FLIGHT, provider_seconds=provider_seconds):
        enrolled = ground.enroll(stretch, contacts)
        ground.settle_statistics()
        ground.wakeups.schedule(enrolled.later)
        ground.wakeups.schedule(enrolled.first)
        wait_until_settled(ground)
    return settled_a_second(ground)


def _noop(ground: Ground, count: int) -> float:
    """Messages that dramatiq's stock workers work off in a second."""
    ground.redis.flushall()
    url = required(ground.settings.redis_url)
    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]
    broker.declare_queue("default")
    for number in range(count):
        broker.enqueue(Message(queue_name="default", actor_name=ACTOR, args=(number,), kwargs={}, options={}))
    seen: list[tuple[float, int]] = []

    def all_done() -> bool:
        left = int(ground.redis.hlen("dramatiq:default.msgs"))
        seen.append((time.perf_counter(), count - left))
        return left == 0

    with children([["deploy.bench.noop", str(ground.folder / "dramatiq.log")]], {REDIS_URL: url}):
        wait_until("dramatiq has worked all messages off", all_done, pause=0.05)
    broker.close()
    broker.client.close()
    return rate(seen, count)
