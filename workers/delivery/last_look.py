"""Asks the database once more about attempts that wait to be handed over: in batches, from a thread of its own."""

import asyncio
import time
from collections import deque
from threading import Event, Thread
from typing import NamedTuple

import psycopg
import structlog

from engine.database import GONE, Database, first_line
from engine.outbox.claim import Claimed
from engine.outbox.last_look import still_good

log = structlog.get_logger(__name__)


class _Question(NamedTuple):
    row: Claimed
    answer: "asyncio.Future[float | None]"
    loop: asyncio.AbstractEventLoop


class LastLook:
    """Answers whether attempts may still be handed over."""

    def __init__(self, database: Database) -> None:
        """Start the thread."""
        self._database = database
        self._questions: deque[_Question] = deque()
        self._news = Event()
        self._stopping = False
        self._thread = Thread(target=self._run, name="last look", daemon=True)
        self._thread.start()

    async def good_since(self, row: Claimed) -> float | None:
        """Return when the attempt was found good, on the monotonic clock; None: it must not go out.

        Without a database nobody can tell, so it must not.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[float | None] = loop.create_future()
        self._questions.append(_Question(row, answer, loop))
        self._news.set()
        return await answer

    def close(self) -> None:
        """End the thread."""
        self._stopping = True
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._news.wait()
            self._news.clear()
            batch: list[_Question] = []
            while self._questions:
                batch.append(self._questions.popleft())
            if batch:
                good = self._look(batch)
                now = time.monotonic()
                for loop in {question.loop for question in batch}:
                    loop.call_soon_threadsafe(_tell, [one for one in batch if one.loop is loop], good, now)

    def _look(self, batch: list[_Question]) -> set[tuple[int, int]]:
        try:
            with self._database.transaction() as session:
                return still_good(session, [(one.row.id, one.row.fence) for one in batch])
        except GONE as error:
            log.warning("not handed over: the database is gone", rows=len(batch), error=first_line(error))
        except psycopg.Error:
            log.exception("not handed over: the database can't tell whether they may be", rows=len(batch))
        return set()


def _tell(batch: list[_Question], good: set[tuple[int, int]], now: float) -> None:
    """Give the answers, in the event loop."""
    for question in batch:
        if not question.answer.done():
            question.answer.set_result(now if (question.row.id, question.row.fence) in good else None)
