"""Dramatiq's consumer of a Redis queue, which waits for news of the queue rather than polling it."""

from threading import Event
from typing import Any

from dramatiq import MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer


class BlockingConsumer(_RedisConsumer):
    """Fetches when it is woken, when there is room for another message, and when it has waited for long enough."""

    def __init__(self, broker: RedisBroker, queue_name: str, prefetch: int, timeout: int, woken: Event) -> None:
        """Prepare; it waits at most `timeout` milliseconds for `woken`."""
        super().__init__(broker, queue_name, prefetch, 0)  # type: ignore[no-untyped-call]
        self._seconds = timeout / 1000
        self._woken = woken

    def __next__(self) -> "MessageProxy | None":
        """The next message; None after a wait: whoever asks looks whether to go on."""
        self._woken.clear()  # first: what arrives during the fetch ends the wait
        message: MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        if message is None:
            self._woken.wait(self._seconds)
        return message

    def ack(self, message: Any) -> None:
        """Acknowledge a message; there is room for another."""
        super().ack(message)  # type: ignore[no-untyped-call]
        self._woken.set()

    def nack(self, message: Any) -> None:
        """Reject a message; there is room for another."""
        super().nack(message)  # type: ignore[no-untyped-call]
        self._woken.set()
