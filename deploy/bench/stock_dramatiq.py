"""Dramatiq's own command line, for the actors that ours is compared with."""

import sys
from typing import Final, NoReturn

import dramatiq
from dramatiq import cli
from dramatiq.brokers.redis import RedisBroker

from deploy.bench.children import end_without_parent

#: As many processes as ours.
PROCESSES: Final = 2

QUEUE: Final = "default"
NAMESPACE: Final = "dramatiq"


def run_dramatiq(set_up: str, threads: int, log: str) -> NoReturn:
    """Run dramatiq's workers until SIGTERM, or until standard input closes. `set_up` names a function of no arguments.

    Raises:
        SystemExit: they have ended.
    """
    end_without_parent()
    options = ["--processes", str(PROCESSES), "--threads", str(threads), "--log-file", log]
    sys.argv = ["dramatiq", set_up, *options]
    sys.exit(cli.main())  # type: ignore[no-untyped-call]


def stock_broker(url: str) -> RedisBroker:
    """Return dramatiq's Redis broker with the middleware that it has by default; it is this process's."""
    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]
    dramatiq.set_broker(broker)
    return broker
