"""Wake-ups: how quickly they are scheduled, and what they cost Redis."""

import time
from statistics import median
from typing import Final

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from deploy.bench.ground import Ground
from deploy.bench.measure import REPEATS, Asked, Result, by_turns
from deploy.cli.session import required

#: Real seconds from now.
FORTNIGHT: Final = 14 * 86_400.0
HOUR_IN_MILLISECONDS: Final = 3_600_000


def enqueue_vs_dramatiq(ground: Ground) -> Result:
    """Wake-ups of bulk enrollment against delayed messages of dramatiq's, on the same Redis."""
    many, few = ground.count(200_000), ground.count(5_000)
    broker = RedisBroker(url=required(ground.settings.redis_url))  # type: ignore[no-untyped-call]
    broker.declare_queue("default")

    def ours() -> float:
        ground.redis.flushall()
        due = [
            (time.time() + FORTNIGHT * part / 50, range(part * many // 50, (part + 1) * many // 50))
            for part in range(50)
        ]
        started = time.perf_counter()
        ground.wakeups.schedule(due)
        return many / (time.perf_counter() - started)

    def theirs() -> float:
        ground.redis.flushall()
        started = time.perf_counter()
        for number in range(few):
            broker.enqueue(
                Message(queue_name="default", actor_name="noop", args=(number,), kwargs={}, options={}),
                delay=HOUR_IN_MILLISECONDS,
            )
        return few / (time.perf_counter() - started)

    mine, dramatiqs = by_turns(ours, theirs)
    broker.close()
    broker.client.close()
    detail = f"{mine:,.0f} a second against {dramatiqs:,.0f}"
    return Result("enqueue_vs_dramatiq", mine / dramatiqs, "ratio", Asked(">=", 40), detail)


def redis_bytes_per_step(ground: Ground) -> Result:
    """Memory of Redis for each step that waits."""
    count = ground.count(200_000)
    figure = median(_bytes_per_wakeup(ground, count) for _ in range(REPEATS))
    return Result("redis_bytes_per_step", figure, "bytes", Asked("<=", 100), f"{count:,} wake-ups")


def _bytes_per_wakeup(ground: Ground, count: int) -> float:
    # What is freed later would be counted as won.
    ground.redis.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]
    before = int(ground.redis.info("memory")["used_memory"])
    first = 10_000_000  # ids as long as those of a table that has been in use for a while
    ground.wakeups.schedule(
        (time.time() + part, range(first + part * 1_000, first + (part + 1) * 1_000)) for part in range(count // 1_000)
    )
    used = int(ground.redis.info("memory")["used_memory"]) - before
    return used / ground.wakeups.counts()["waiting"]
