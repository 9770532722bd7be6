"""The dramatiq broker: queues and consumers as dramatiq has them, without its delayed messages.

Its delay queue holds far messages in memory and starves near ones (DESIGN.md section 3); steps are delayed
by wake-ups instead (engine/wakeups), and tries are written in Postgres.
"""

from typing import Any

from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

from engine.redis_connection import NAMESPACE, open_redis


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
