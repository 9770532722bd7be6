"""The wake-ups of all waiting rows: two sorted sets of row ids, about 75 bytes each."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from math import inf
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import redis

from engine.database import first_line
from engine.errors import Unavailable
from engine.redis_connection import NAMESPACE, open_redis
from engine.redis_server import RedisServer
from engine.wakeups.news import CHANNEL
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE, ROWS_PER_MESSAGE

WAITING: Final = f"{NAMESPACE}:wakeups"
RETRYING: Final = f"{NAMESPACE}:retries"
BEAT: Final = f"{NAMESPACE}:beat"
QUEUE: Final = f"{NAMESPACE}:{DELIVERY_QUEUE}"
SWEPT: Final = f"{NAMESPACE}:swept"

#: Members of one call: enough that the round trip doesn't count, few enough that no other client waits for long.
CHUNK: Final = 1_000

FOLDER: Final = Path(__file__).parent

#: Seconds by which a score may differ from the moment that the database tells: it is written with fewer digits.
SAME_MOMENT: Final = 1e-3

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


@dataclass(frozen=True, slots=True)
class Queue:
    """The work queue, and the mark of the last sweep: what Redis remembers."""

    messages: int
    oldest: float | None
    """Real time at which the first message was promoted, in epoch seconds; None: the queue is empty."""
    mark: str | None
    """What `mark_sweep` wrote last; another one, or None: Redis was emptied, or restarted from an older dump."""


class Wakeups:
    """Schedules, promotes and counts wake-ups."""

    def __init__(self, url: str) -> None:
        """Prepare; connect when first used.

        Raises:
            InvalidInput: the URL can't be read.
        """
        self._redis = open_redis(url)
        self._schedule = self._redis.register_script((FOLDER / "schedule.lua").read_bytes())
        self._promote = self._redis.register_script((FOLDER / "promote.lua").read_bytes())

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
                    CHANNEL,
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

    def queue(self) -> Queue:
        """How long the first message has waited on the queue, and the mark of the last sweep.

        Raises:
            WakeupsUnavailable: Redis does not answer.
        """
        with _unavailable():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.llen(QUEUE)
            pipeline.lindex(QUEUE, 0)
            pipeline.get(SWEPT)
            messages, first, mark = pipeline.execute()
            message = self._redis.hget(f"{QUEUE}.msgs", first) if first else None
        oldest = json.loads(message)["message_timestamp"] / 1000 if isinstance(message, bytes) else None
        return Queue(messages, oldest, mark.decode() if mark else None)

    def lacking(self, due: Sequence[tuple[int, float]], *, retries: bool = False) -> list[int]:
        """The rows that have no wake-up at their moment (row id, epoch seconds), or before it.

        Raises:
            WakeupsUnavailable: Redis does not answer.
        """
        found: list[int] = []
        with _unavailable():
            for first in range(0, len(due), CHUNK):
                part = due[first : first + CHUNK]
                scores = self._redis.zmscore(RETRYING if retries else WAITING, [str(row_id) for row_id, _ in part])
                found += [
                    row_id
                    for (row_id, moment), score in zip(part, scores, strict=True)
                    if score is None or float(score) > moment + SAME_MOMENT
                ]
        return found

    def mark_sweep(self, mark: str) -> None:
        """Leave a mark in Redis by which the next sweep sees that it has lost nothing since.

        Raises:
            WakeupsUnavailable: Redis does not take it.
        """
        with _unavailable():
            self._redis.set(SWEPT, mark)

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
        """Make sure that Redis answers, and takes writes and news.

        Raises:
            WakeupsUnavailable: it does not.
        """
        with _unavailable():
            self._redis.set(f"{NAMESPACE}:check", "1", ex=1)
            self._redis.publish(CHANNEL, "check")

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
            for earliest, chunk in _chunks(due):
                self._schedule(keys=[key], args=[CHANNEL, repr(earliest), *chunk])
                count += len(chunk) // 2
        return count


def _chunks(due: Iterable[Due]) -> Iterator[tuple[float, list[Any]]]:
    """The earliest moment of a chunk; then score and member by turns, as ZADD takes them."""
    arguments: list[Any] = []
    earliest = inf
    for moment, rows in due:
        score = repr(moment)
        for first in range(0, len(rows), CHUNK):
            part = rows[first : first + CHUNK]
            arguments.extend(chain.from_iterable(zip(repeat(score), part, strict=False)))
            earliest = min(earliest, moment)
            if len(arguments) >= CHUNK * 2:
                yield earliest, arguments
                arguments, earliest = [], inf
    if arguments:
        yield earliest, arguments


def _moment(score: bytes) -> float | None:
    return float(score) if score else None


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise WakeupsUnavailable(f"Redis: {first_line(error)}") from None
