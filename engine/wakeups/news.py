"""News of wake-ups: what other processes scheduled and promoted, as soon as they did. Hints too: any may be lost."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Final

import redis
import structlog

from engine.database import first_line
from engine.redis_connection import NAMESPACE, open_redis

log = structlog.get_logger(__name__)

CHANNEL: Final = f"{NAMESPACE}:news"

#: What is published there: a wake-up comes before all others; the queue was empty and has a message.
DUE: Final = "due"
QUEUED: Final = "queued"

#: Real seconds between two looks whether it is told to stop, and before a connection that was lost is opened again.
LISTEN_SECONDS: Final = 1.0


class News:
    """Calls back when there is news: one subscription for the process, read by a thread."""

    def __init__(self, url: str, callbacks: dict[str, Callable[[], None]]) -> None:
        """Start the thread; each kind of news has its callback, which returns at once.

        Raises:
            InvalidInput: the URL can't be read.
        """
        self._redis = open_redis(url)
        self._callbacks = {kind.encode(): call for kind, call in callbacks.items()}
        self._stop = Event()
        self._thread = Thread(target=self._run, name="news", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Tell no news any more."""
        self._stop.set()

    def stop(self) -> None:
        """End the thread, and give the connection back."""
        self.end()
        self._thread.join()
        self._redis.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except redis.RedisError as error:
                log.warning("no news from Redis: looking once a second", error=first_line(error))
                self._stop.wait(LISTEN_SECONDS)

    def _listen(self) -> None:
        with self._redis.pubsub() as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(CHANNEL)
            while not self._stop.is_set():
                message = subscription.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    self._tell(message["type"], message["data"])

    def _tell(self, kind: str, data: object) -> None:
        """Pass it on; after a subscription everything, since news may have been lost before it."""
        for name, call in self._callbacks.items():
            if kind == "subscribe" or data == name:
                call()
