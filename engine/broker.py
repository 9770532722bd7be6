"""The dramatiq broker: queues and consumers as dramatiq has them, without its delayed messages.

Its delay queue holds far messages in memory and starves near ones (DESIGN.md section 3); steps are delayed
by wake-ups instead (engine/wakeups), and tries are written in Postgres.
"""

from threading import Event
from typing import Any, Final

from dramatiq import Consumer, Message
from dramatiq.brokers.redis import RedisBroker

from engine.consumer import BlockingConsumer
from engine.redis_connection import NAMESPACE, open_redis

#: Of a million fetches, those after which messages of dead workers are put back: an idle consumer fetches twice a
#: second, and so does that once in ten seconds.
MAINTENANCE_CHANCE: Final = 50_000


class Broker(RedisBroker):
    """A Redis broker that knows no delay, and whose consumer waits for news of the queue."""

    def __init__(self, url: str) -> None:
        """Prepare; connect when first used. Set `arrived` when there may be messages."""
        super().__init__(  # type: ignore[no-untyped-call]
            client=open_redis(url), namespace=NAMESPACE, middleware=[], maintenance_chance=MAINTENANCE_CHANCE
        )
        self.arrived = Event()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5_000) -> "Consumer":
        """Consume a queue; an empty one is looked at again when `arrived` is set, and every `timeout` milliseconds."""
        return BlockingConsumer(self, queue_name, prefetch, timeout, self.arrived)

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
