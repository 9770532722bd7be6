"""The worker processes of a measure."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deploy.bench.children import children, wait_until
from deploy.bench.ground import Ground
from engine.redis_connection import NAMESPACE
from engine.settings import Settings
from workers.supervisor import environment_of

PROCESSES: Final = 2
THREADS: Final = 4

#: Over both processes.
IN_FLIGHT: Final = 512

#: The sweeper looks once, while there is nothing to be found, and never again: what it wakes is not to be measured.
SWEEP_SECONDS: Final = 3_600.0


@contextmanager
def worker_processes(
    ground: Ground,
    *,
    in_flight: int,
    provider_seconds: float | None = None,
    settings: Settings | None = None,
    sweep_seconds: float = SWEEP_SECONDS,
) -> Iterator[list[int]]:
    """Run two worker processes, with so many messages in flight together, let them start first, and yield their ids.

    With `provider_seconds` a provider in process stands in for the real ones, which takes so long to answer.
    """
    settings = (settings or ground.settings).model_copy(
        update={"sweep_seconds": sweep_seconds, "in_flight": in_flight // PROCESSES}
    )
    command = ["deploy.bench.worker", str(THREADS)]
    if provider_seconds is not None:
        command.append(str(provider_seconds))
    with tempfile.TemporaryDirectory(prefix="metrics-", dir=ground.folder) as metrics:
        environment = {
            **environment_of(settings),
            "PROMETHEUS_MULTIPROC_DIR": metrics,
            "dramatiq_queue_prefetch": str(THREADS),
            "dramatiq_restart_delay": "1000",
        }
        with children([command] * PROCESSES, environment) as started:
            wait_until("the start of the workers", lambda: _listening(ground) == PROCESSES, pause=0.02)
            yield [child.pid for child in started]


def _listening(ground: Ground) -> int:
    """How many of dramatiq's brokers have asked for messages."""
    return int(ground.redis.zcard(f"{NAMESPACE}:__heartbeats__"))
