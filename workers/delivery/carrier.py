"""Carries rows to their channels in the event loop: as many at once as may be in flight."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from workers.delivery.answer import Answer, Answers
from workers.delivery.ending import ending_of, verdict_on
from workers.delivery.hand_over import HandOver
from workers.delivery.prepared import Prepared
from workers.event_loop import EventLoop

log = structlog.get_logger(__name__)


class Carrier:
    """Hands over rows that were begun, and collects the answers.

    The counts are written by one thread each, so they need no lock.
    """

    def __init__(
        self, loop: EventLoop, most: int, hand_over: HandOver, answers: Answers, on_answers: Callable[[], None]
    ) -> None:
        """Prepare to hand over at most so many at once; `on_answers` is called in the loop after some have come."""
        self._loop = loop
        self._most = most
        self._hand_over = hand_over
        self._answers = answers
        self._on_answers = on_answers
        self._waiting: deque[Prepared] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling = False
        self._brought = 0
        self.answered = 0
        """Rows that were answered since the start."""

    @property
    def in_flight(self) -> int:
        """Rows that were brought and are not answered yet."""
        return self._brought - self.answered

    def put(self, rows: Sequence[Prepared]) -> None:
        """Hand these over soon. From one thread only."""
        if rows:
            self._brought += len(rows)
            self._loop.call(self._add, rows)

    def _add(self, rows: Sequence[Prepared]) -> None:
        self._waiting.extend(rows)
        self._start(1)

    def _start(self, tasks: int) -> None:
        """Start tasks while rows wait, twice as many each time: a provider that answers at once needs one only."""
        tasks = min(tasks, len(self._waiting), self._most - len(self._tasks))
        for _ in range(tasks):
            task = asyncio.create_task(self._carry())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if tasks > 0:
            asyncio.get_running_loop().call_soon(self._start, 2 * tasks)

    async def _carry(self) -> None:
        """Hand one row over after the other, until none waits."""
        while self._waiting:
            prepared = self._waiting.popleft()
            started = time.monotonic()
            outcome = await self._hand_over(prepared)
            ending = ending_of(prepared, outcome, verdict_on(prepared, outcome))
            self._answers.add(Answer(ending, time.monotonic() - started))
            self.answered += 1
            if not self._telling:
                self._telling = True
                asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = False
        self._answers.tell()
        self._on_answers()
