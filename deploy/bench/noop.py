"""`python -m deploy.bench.noop LOG`: what settling is compared with, an actor of dramatiq's that does nothing.

It is dramatiq's own command line that runs; the environment says where Redis is.
"""

import os
import sys
from typing import Final

import dramatiq

from deploy.bench.stock_dramatiq import run_dramatiq, stock_broker

REDIS_URL: Final = "CADENZA_BENCH_REDIS_URL"

#: What its messages name.
ACTOR: Final = "noop"

THREADS: Final = 8


def main() -> None:
    """Run dramatiq's workers until SIGTERM, or until standard input closes."""
    run_dramatiq("deploy.bench.noop:set_up", THREADS, sys.argv[1])


def set_up() -> None:
    """Make the stock broker, and declare the actor."""
    dramatiq.actor(actor_name=ACTOR, broker=stock_broker(os.environ[REDIS_URL]))(_noop)


def _noop(_number: int) -> None:
    """Do nothing."""


if __name__ == "__main__":
    main()
