"""`python -m deploy.bench.noop LOG`: what settling is compared with, an actor of dramatiq's that does nothing.

It is dramatiq's own command line that runs; the environment says where Redis is.
"""

import os
import signal
import sys
from threading import Event, Thread
from typing import Final

import dramatiq
from dramatiq import cli
from dramatiq.brokers.redis import RedisBroker

from deploy.bench.children import until_parent_is_gone

REDIS_URL: Final = "CADENZA_BENCH_REDIS_URL"

#: What its messages name.
ACTOR: Final = "noop"

PROCESSES: Final = 2
THREADS: Final = 8


def main() -> None:
    """Run dramatiq's workers until SIGTERM, or until standard input closes."""
    Thread(target=_end_without_parent, daemon=True).start()
    options = ["--processes", str(PROCESSES), "--threads", str(THREADS), "--log-file", sys.argv[1]]
    sys.argv = ["dramatiq", "deploy.bench.noop:set_up", *options]
    sys.exit(cli.main())  # type: ignore[no-untyped-call]


def set_up() -> None:
    """Make the stock broker, with the middleware that it has by default, dramatiq's broker; declare the actor."""
    broker = RedisBroker(url=os.environ[REDIS_URL])  # type: ignore[no-untyped-call]
    dramatiq.set_broker(broker)
    dramatiq.actor(actor_name=ACTOR, broker=broker)(_noop)


def _noop(_number: int) -> None:
    """Do nothing."""


def _end_without_parent() -> None:
    until_parent_is_gone(Event())
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
