"""A lane: requests of one kind that are taken in groups, each answered when its group is committed."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Real seconds for which a busy lane lets requests come together. A lane that was idle starts at once.
LINGER: Final = 0.004

#: A lane is busy if its last group was of so many requests, and ended less than so many real seconds ago.
BUSY_SIZE: Final = 4
BUSY_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Apart:
    """What becomes of a request that its group leaves out: it is done apart, after the others of the same number."""

    number: int


@dataclass(slots=True, eq=False)
class Waiting(Generic[Item, Result]):
    """A request, and who waits for its answer."""

    item: Item
    since: float
    answer: "asyncio.Future[Result]"


class Work(ABC, Generic[Item, Result]):
    """Does what a lane's requests ask for, in threads."""

    @abstractmethod
    def together(self, items: Sequence[Item], since: float) -> Sequence[Result | Exception | Apart]:
        """Do them in one transaction; tell for each what became of it. `since`: when the first of them came."""

    @abstractmethod
    def apart(self, item: Item, since: float) -> Result:
        """Do one in a transaction of its own."""


class Lane(Generic[Item, Result]):
    """One thread does groups; what groups leave out is done in other threads, so that nobody waits for it."""

    def __init__(self, name: str, work: Work[Item, Result], most: int, apart: int) -> None:
        """Prepare: at most so many requests in a group, and so many threads for those apart."""
        self._work = work
        self._most = most
        self._thread = ThreadPoolExecutor(1, name)
        self._apart = ThreadPoolExecutor(apart, f"{name}-apart")
        self._waiting: list[Waiting[Item, Result]] = []
        self._working = False
        self._lingering = False
        self._busy_until = 0.0

    async def take(self, item: Item) -> Result:
        """Do what a request asks for, together with others; return when it is committed.

        Raises:
            Exception: what went wrong with this one.
        """
        waiting: Waiting[Item, Result] = Waiting(item, time.monotonic(), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._start()
        return await waiting.answer

    def close(self) -> None:
        """End the threads when they have done what was begun."""
        self._thread.shutdown()
        self._apart.shutdown()

    def _start(self) -> None:
        """Begin a group, unless one is under way or a few milliseconds make it a larger one."""
        if self._working or not self._waiting:
            return
        if len(self._waiting) < self._most and time.monotonic() < self._busy_until:
            if not self._lingering:
                self._lingering = True
                asyncio.get_running_loop().call_later(LINGER, self._begin)
            return
        self._begin()

    def _begin(self) -> None:
        self._lingering = False
        if self._working or not self._waiting:
            return
        group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        self._working = True
        done = asyncio.get_running_loop().run_in_executor(
            self._thread, self._work.together, [one.item for one in group], group[0].since
        )
        done.add_done_callback(lambda done: self._end(group, done))

    def _end(
        self,
        group: list[Waiting[Item, Result]],
        done: "asyncio.Future[Sequence[Result | Exception | Apart]]",
    ) -> None:
        """Answer a group, and begin the next one."""
        self._working = False
        if len(group) >= BUSY_SIZE:
            self._busy_until = time.monotonic() + BUSY_SECONDS
        apart: dict[int, list[Waiting[Item, Result]]] = {}
        error = done.exception()
        for one, outcome in zip(group, [error] * len(group) if error else done.result(), strict=True):
            if isinstance(outcome, Apart):
                apart.setdefault(outcome.number, []).append(one)
            else:
                _answer(one, outcome)
        loop = asyncio.get_running_loop()
        for part in apart.values():
            loop.run_in_executor(self._apart, self._do_apart, part, loop.call_soon_threadsafe)
        self._start()

    def _do_apart(self, part: list[Waiting[Item, Result]], tell: Callable[..., object]) -> None:
        """Do one after the other, in the order in which they came."""
        for one in part:
            try:
                outcome: Result | Exception = self._work.apart(one.item, one.since)
            except Exception as error:  # noqa: BLE001 (its own request is told)
                outcome = error
            tell(_answer, one, outcome)


def _answer(waiting: Waiting[Item, Result], outcome: Result | BaseException) -> None:
    """Tell who waits, unless the server has ended the request meanwhile."""
    if waiting.answer.done():
        return
    if isinstance(outcome, BaseException):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)
