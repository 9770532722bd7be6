"""Deadlines of sends: all sends of a channel get the same time, so one timer serves them all."""

import asyncio
from collections import deque
from typing import Final

#: Real seconds from the end of a deadline until the send is cancelled. A process that was held up finds its timers and
#: its answers at the same moment: the answers that are there are read first.
LAST_CHANCE: Final = 0.02


class Deadline:
    """Cancels the task of a send when its time is up; `expired` tells that from any other cancellation."""

    __slots__ = ("_deadlines", "_task", "ends", "expired")

    def __init__(self, deadlines: "Deadlines", task: "asyncio.Task[object] | None", ends: float) -> None:
        """See `Deadlines.start`."""
        self._deadlines = deadlines
        self._task = task
        self.ends = ends
        """On the clock of the event loop."""
        self.expired = False

    @property
    def is_over(self) -> bool:
        """Whether the send has ended."""
        return self._task is None

    def renew(self) -> None:
        """Give the send its full time once more.

        Raises:
            asyncio.CancelledError: its time is up already.
        """
        if self.expired:
            raise asyncio.CancelledError
        self._deadlines.extend(self)

    def end(self) -> None:
        """Note that the send has ended: it is not cancelled any more."""
        self._task = None

    def expire(self) -> None:
        """Cancel the send."""
        if self._task is not None:
            self.expired = True
            self._task.cancel()


class Deadlines:
    """Keeps the deadlines in the order in which they end. Used in one event loop."""

    def __init__(self, seconds: float) -> None:
        """Give each send so many real seconds."""
        self._seconds = seconds
        self._queue: deque[tuple[float, Deadline]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> Deadline:
        """Start the time of a send that the current task carries. The task calls `end` when the send has ended."""
        loop = asyncio.get_running_loop()
        deadline = Deadline(self, asyncio.current_task(loop), 0.0)
        self.extend(deadline)
        return deadline

    def extend(self, deadline: Deadline) -> None:
        """Let this deadline end after the full time from now."""
        queue, loop = self._queue, asyncio.get_running_loop()
        while queue and queue[0][1].is_over:
            queue.popleft()
        deadline.ends = loop.time() + self._seconds
        queue.append((deadline.ends, deadline))
        if self._timer is None:
            self._timer = loop.call_at(deadline.ends, self._look)

    def close(self) -> None:
        """Stop the timer, and cancel nothing any more."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """The time of the oldest send is up: read what has come before it is cancelled."""
        self._timer = asyncio.get_running_loop().call_later(LAST_CHANCE, self._expire)

    def _expire(self) -> None:
        """Cancel the sends whose time is up, and look again when that of the next one is."""
        queue, loop = self._queue, asyncio.get_running_loop()
        now = loop.time() - LAST_CHANCE
        while queue and (queue[0][0] <= now or queue[0][1].is_over):
            ends, deadline = queue.popleft()
            if deadline.ends == ends:  # it was not renewed
                deadline.expire()
        self._timer = loop.call_at(queue[0][0], self._look) if queue else None
