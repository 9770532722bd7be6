"""What a run does with a chunk: one transaction, the rejects in the file before its COMMIT, the wake-ups after it."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final

import psycopg
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from engine.database import Database, first_line
from engine.errors import Unavailable
from engine.wakeups import Due, Wakeups, WakeupsUnavailable
from producers.bulk.batch import Batch, Counts
from producers.bulk.chunks import Chunk
from producers.bulk.records import Reject
from producers.bulk.rejects import RejectsFile
from producers.enroll_event import COLLISIONS
from producers.enrollment import EnrolledChunk, enroll_people
from producers.sequences import PublishedSequence

#: Tries of a chunk that other transactions get in the way of.
TRIES: Final = 5

#: Real seconds to leave Redis alone after it failed: the sweeper makes up for the wake-ups.
WAKEUPS_PAUSE: Final = 30.0


class Enrolling:
    """Enrolls chunk by chunk."""

    def __init__(
        self, database: Database, wakeups: Wakeups, sequence: PublishedSequence, batch: Batch, rejects: RejectsFile
    ) -> None:
        """Begin where the batch stands."""
        self._database = database
        self._wakeups = wakeups
        self._sequence = sequence
        self._batch = batch
        self._rejects = rejects
        self._scheduler = ThreadPoolExecutor(1, "wake-ups")
        self._scheduled: Future[None] | None = None
        self._leave_wakeups_until = float("-inf")
        self._warning: str | None = None

    def settle(self, chunk: Chunk, done: Counts) -> tuple[Counts, Sequence[Reject]]:
        """Enroll the people of a chunk, all or none; `done` is what was done before it.

        Raises:
            StorageFull: the rejects file can't be written.
            Unavailable: the database did not do it.
        """
        collisions = Retrying(
            retry=retry_if_exception_type(COLLISIONS),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(0.05, 2),
            reraise=True,
        )
        try:
            enrolled, counts, rejects = collisions(self._in_one_transaction, chunk, done)
        except psycopg.Error as error:
            again = "" if self._batch.name is None else ": run it again with the same --batch to go on"
            raise Unavailable(f"Postgres: {first_line(error)}; {done.records} records are done{again}") from None
        self._wait_for_wakeups()
        self._scheduled = self._scheduler.submit(self._schedule, enrolled.wakeups)
        return counts, rejects

    def __enter__(self) -> "Enrolling":
        """Nothing more to begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until the last wake-ups are scheduled."""
        self._scheduler.shutdown()

    @property
    def wakeups_warning(self) -> str | None:
        """Why wake-ups of the chunks so far were not scheduled, the first time that it happened."""
        self._wait_for_wakeups()
        return self._warning

    def _in_one_transaction(self, chunk: Chunk, done: Counts) -> tuple[EnrolledChunk, Counts, Sequence[Reject]]:
        length: int | None = None
        try:
            with self._database.transaction() as session:
                enrolled = enroll_people(session, self._sequence, chunk.people, batch_id=self._batch.id, done_anew=True)
                rejects = chunk.all_rejects(enrolled.conflicts)
                counts = Counts(chunk.size, enrolled.enrolled, enrolled.repeats, len(rejects))
                self._batch.advance(session, done, counts, rejects)
                length = self._rejects.write(rejects)
        except COLLISIONS:
            if length is not None:
                self._rejects.cut(length)
            raise
        return enrolled, counts, rejects

    def _wait_for_wakeups(self) -> None:
        """At most one chunk's are under way, while the database works on the next chunk."""
        if self._scheduled is not None:
            self._scheduled.result()
            self._scheduled = None

    def _schedule(self, due: Sequence[Due]) -> None:
        if time.monotonic() < self._leave_wakeups_until:
            return
        try:
            self._wakeups.schedule(due)
        except WakeupsUnavailable as error:
            self._leave_wakeups_until = time.monotonic() + WAKEUPS_PAUSE
            self._warning = self._warning or str(error)
