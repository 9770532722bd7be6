"""The wake-ups of all waiting rows: two sorted sets of row ids, about 75 bytes each."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import redis

from engine.database import first_line
from engine.errors import Unavailable
from engine.redis_connection import NAMESPACE, open_redis
from engine.redis_server import RedisServer
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE, ROWS_PER_MESSAGE

WAITING: Final = f"{NAMESPACE}:wakeups"
RETRYING: Final = f"{NAMESPACE}:retries"
BEAT: Final = f"{NAMESPACE}:beat"
QUEUE: Final = f"{NAMESPACE}:{DELIVERY_QUEUE}"

#: Members of one ZADD: enough that the round trip doesn't count, few enough that no other client waits for long.
CHUNK: Final = 1_000

Due: TypeAlias = tuple[float, Sequence[int]]
"""Epoch seconds, and the rows that fall due then."""


class WakeupsUnavailable(Unavailable):
    """Redis can't be reached, is full or read-only: the sweeper will make up for the wake-ups."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion moved, and when the next wake-up falls due (None: none is left)."""

    moved: int
    next_sequence: float | None
    next_real: float | None


class Wakeups:
    """Schedules, promotes and counts wake-ups."""

    def __init__(self, url: str) -> None:
        """Prepare; connect when first used.

        Raises:
            InvalidInput: the URL can't be read.
        """
        self._redis = open_redis(url)
        self._promote = self._redis.register_script((Path(__file__).parent / "promote.lua").read_bytes())

    def schedule(self, due: Iterable[Due]) -> int:
        """Wake a worker for these rows at these moments of sequence time; tell how many.

        Raises:
            WakeupsUnavailable: Redis does not take them.
        """
        return self._add(WAITING, due)

    def retry(self, due: Iterable[Due]) -> int:
        """Wake a worker for these rows at these moments of real time; tell how many.

        Raises:
            WakeupsUnavailable: Redis does not take them.
        """
        return self._add(RETRYING, due)

    def promote(self, sequence_now: float, real_now: float, limit: int = CHUNK) -> Promotion:
        """Move what is due to the work queue, atomically and many rows to one message.

        Raises:
            WakeupsUnavailable: Redis does not answer.
        """
        with _unavailable():
            moved, next_sequence, next_real = self._promote(
                keys=[WAITING, RETRYING, QUEUE, f"{QUEUE}.msgs"],
                args=[
                    repr(sequence_now),
                    repr(real_now),
                    limit,
                    ROWS_PER_MESSAGE,
                    DELIVERY_QUEUE,
                    DELIVER_ACTOR,
                    uuid4().hex,
                    int(real_now * 1000),
                ],
            )
        return Promotion(int(moved), _moment(next_sequence), _moment(next_real))

    def counts(self) -> dict[str, int]:
        """How many wake-ups wait, are backing off, and how many messages are queued.

        Raises:
            WakeupsUnavailable: Redis does not answer.
        """
        with _unavailable():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zcard(WAITING)
            pipeline.zcard(RETRYING)
            pipeline.llen(QUEUE)
            waiting, retrying, queued = pipeline.execute()
        return {"waiting": waiting, "retrying": retrying, "queued": queued}

    def note_beat(self, database: str, number: int) -> None:
        """Note the leader's heartbeat (engine/outbox/dispatch.py).

        Raises:
            WakeupsUnavailable: Redis does not take it.
        """
        with _unavailable():
            self._redis.set(BEAT, f"{database} {number}")

    def known_beat(self, database: str) -> int:
        """The last heartbeat of this database that was noted; 0: none.

        Raises:
            WakeupsUnavailable: Redis does not answer.
        """
        with _unavailable():
            noted = self._redis.get(BEAT)
        name, _, number = (noted.decode() if isinstance(noted, bytes) else "").partition(" ")
        return int(number) if name == database else 0

    def check(self) -> None:
        """Make sure that Redis answers and takes writes.

        Raises:
            WakeupsUnavailable: it does not.
        """
        with _unavailable():
            self._redis.set(f"{NAMESPACE}:check", "1", ex=1)

    def server(self) -> RedisServer | None:
        """What the server says of itself; None: its user may not ask.

        Raises:
            WakeupsUnavailable: Redis does not answer.
        """
        with _unavailable():
            try:
                return RedisServer.of(self._redis.info())
            except redis.exceptions.NoPermissionError:
                return None

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()

    def _add(self, key: str, due: Iterable[Due]) -> int:
        count = 0
        with _unavailable():
            for chunk in _chunks(due):
                self._redis.execute_command("ZADD", key, *chunk)  # type: ignore[no-untyped-call]
                count += len(chunk) // 2
        return count


def _chunks(due: Iterable[Due]) -> Iterator[list[Any]]:
    """Score and member by turns, as ZADD takes them."""
    arguments: list[Any] = []
    for moment, rows in due:
        score = repr(moment)
        for first in range(0, len(rows), CHUNK):
            part = rows[first : first + CHUNK]
            arguments.extend(chain.from_iterable(zip(repeat(score), part, strict=False)))
            if len(arguments) >= CHUNK * 2:
                yield arguments
                arguments = []
    if arguments:
        yield arguments


def _moment(score: bytes) -> float | None:
    return float(score) if score else None


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise WakeupsUnavailable(f"Redis: {first_line(error)}") from None
