"""The threads that hand messages over, and how many of them are called."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from workers.delivery.prepared import Prepared

#: Real seconds within which a row that may go is to be handed over. A slow provider needs a lane for each row; one
#: that answers at once is done with all of them sooner than a second lane has woken.
HASTE: Final = 0.005

#: How much the last turn of a lane counts in what a row is expected to take.
WEIGHT: Final = 0.2


class Lanes:
    """Hands rows over, by as many lanes at once as it takes to begin with each row soon."""

    def __init__(self, most: int, hand_over: Callable[[Prepared], None]) -> None:
        """Prepare at most so many lanes; `hand_over` never raises."""
        self._most = most
        self._hand_over = hand_over
        self._rows: deque[Prepared] = deque()
        self._calls: SimpleQueue[bool] = SimpleQueue()
        self._lanes: list[Thread] = []
        self._row_seconds = HASTE
        self._begun = 0
        self._waiting = Event()
        self._stopping = False
        self._caller = _thread("call", self._call_more)

    def put(self, rows: Sequence[Prepared]) -> None:
        """Hand these over soon."""
        self._rows.extend(rows)
        self._call(int(len(rows) * self._row_seconds / HASTE) + 1)
        self._waiting.set()

    def stop(self) -> None:
        """End the lanes; every row has been handed over before."""
        self._stopping = True
        self._waiting.set()
        self._caller.join()
        for _ in self._lanes:
            self._calls.put(False)

    def _call(self, lanes: int) -> None:
        lanes = min(lanes, len(self._rows), self._most)
        while len(self._lanes) < lanes:
            self._lanes.append(_thread(f"lane-{len(self._lanes) + 1}", self._work))
        for _ in range(lanes):
            self._calls.put(True)

    def _call_more(self) -> None:
        """Call more lanes while rows wait, the more the fewer were begun with since the last look."""
        while not self._stopping:
            self._waiting.wait()
            self._waiting.clear()
            begun = self._begun
            time.sleep(HASTE)
            if self._rows:
                self._call(len(self._rows) // (self._begun - begun + 1))
                self._waiting.set()

    def _work(self) -> None:
        while self._calls.get():
            started, done = time.monotonic(), 0
            while self._rows:
                try:
                    row = self._rows.popleft()
                except IndexError:
                    break  # another lane took it
                self._begun += 1
                self._hand_over(row)
                done += 1
            if done:
                self._row_seconds += ((time.monotonic() - started) / done - self._row_seconds) * WEIGHT


def _thread(name: str, run: Callable[[], None]) -> Thread:
    thread = Thread(target=run, name=f"delivery-{name}", daemon=True)
    thread.start()
    return thread
