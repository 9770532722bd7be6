"""What settling is compared with: an actor of dramatiq's that does nothing.

Run as `python -m dramatiq deploy.bench.noop:set_up`; the environment says where Redis is.
"""

import os
from typing import Final

import dramatiq
from dramatiq.brokers.redis import RedisBroker

REDIS_URL: Final = "CADENZA_BENCH_REDIS_URL"


#: What its messages name.
ACTOR: Final = "noop"


def set_up() -> None:
    """Make the stock broker, with the middleware that it has by default, dramatiq's broker; declare the actor."""
    broker = RedisBroker(url=os.environ[REDIS_URL])  # type: ignore[no-untyped-call]
    dramatiq.set_broker(broker)
    dramatiq.actor(actor_name=ACTOR, broker=broker)(_noop)


def _noop(_number: int) -> None:
    """Do nothing."""
