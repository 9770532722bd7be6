"""The dramatiq broker: queues and consumers as dramatiq has them, without its delayed messages.

Its delay queue holds far messages in memory and starves near ones (DESIGN.md section 3); steps are delayed
by wake-ups instead (engine/wakeups), and tries are written in Postgres.
"""

from typing import Any, Final

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from engine.errors import InvalidInput

NAMESPACE: Final = "cadenza"

#: Real seconds to wait for Redis: to connect, and for an answer.
REDIS_SECONDS: Final = 5


def open_redis(url: str) -> "redis.Redis":
    """A client for the URL; it connects when first used.

    Raises:
        InvalidInput: the URL can't be read.
    """
    try:
        return redis.Redis.from_url(
            url, socket_connect_timeout=REDIS_SECONDS, socket_timeout=REDIS_SECONDS, health_check_interval=30
        )
    except ValueError:  # what it says may repeat the password
        raise InvalidInput(
            "CADENZA_REDIS_URL can't be read: write redis://user:password@host:port/0, rediss://... or unix://..."
            " (percent-encode what is special in the password)"
        ) from None


class Broker(RedisBroker):
    """A Redis broker that knows no delay."""

    def __init__(self, url: str) -> None:
        """Prepare; connect when first used."""
        super().__init__(client=open_redis(url), namespace=NAMESPACE, middleware=[])  # type: ignore[no-untyped-call]

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue, and no delay queue beside it."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: "Message[Any]", *, delay: int | None = None) -> "Message[Any]":
        """Enqueue a message for now.

        Raises:
            ValueError: a delay was asked for.
        """
        if delay is not None:
            raise ValueError("steps are delayed by wake-ups (engine/wakeups), never by the broker")
        return super().enqueue(message)
