"""Claims rows as slots for them become free, and brings those that were begun to the carrier."""

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from threading import Event
from typing import Final

import structlog

from engine.metrics import LATENESS
from schema.messages import ROWS_PER_MESSAGE
from workers.delivery.answer import Answer, Answers
from workers.delivery.carrier import Carrier
from workers.delivery.intake import Intake
from workers.delivery.room import Room
from workers.delivery.settler import Settler
from workers.gates.gates import Gates

log = structlog.get_logger(__name__)

#: At most so many rows in a statement.
ROWS_PER_STATEMENT: Final = 500

#: When slots become free one at a time, a claim waits for a quarter of them, but no longer than so many real seconds.
HASTE: Final = 0.02


class Claimer:
    """Claims the rows that it was told of. `run` is one thread; `tell` and `look` are called from any."""

    def __init__(
        self,
        most: int,
        intake: Intake,
        settler: Settler,
        gates: Gates,
        room: Room,
        answers: Answers,
    ) -> None:
        """Prepare for at most so many rows in flight."""
        self._most = most
        self._intake = intake
        self._settler = settler
        self._gates = gates
        self._room = room
        self._answers = answers
        self._told: deque[int] = deque()
        self._news = Event()
        self._wanted = most
        self._ahead = 0
        """Rows that are begun beyond the free slots: as many slots became free since the last claim, and as many will
        be free by the end of this one."""
        self._answered = 0
        self._stopping = False

    def bring_to(self, carrier: Carrier) -> None:
        """Set who carries the rows."""
        self._carrier = carrier

    def tell(self, ids: Sequence[int]) -> None:
        """Take these rows in as soon as there are slots for them."""
        self._told.extend(ids)
        self._news.set()

    def look(self) -> None:
        """Go on if enough slots are free by now; called after answers."""
        if self._free() >= self._wanted:
            self._news.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self._news.set()

    def turn(self) -> None:
        """Claim once, as soon as that makes sense."""
        ids = self._next()
        if ids and not self._stopping:
            answered = self._carrier.answered
            self._ahead = min(max(answered - self._answered, self._ahead // 2), self._most // 2)
            self._answered = answered
            self._take(ids)

    def forget(self) -> None:
        """Leave what was not begun as it is, `pending`, for another worker."""
        told = [self._told.popleft() for _ in range(len(self._told))]
        self._room.leave(len(told))
        self._settler.look_again(told)

    def _free(self) -> int:
        return self._most + self._ahead - self._carrier.in_flight

    def _next(self) -> list[int]:
        """Wait until a claim makes sense; return the rows that it is for."""
        deadline: float | None = None
        while not self._stopping:
            self._news.clear()
            told, free = len(self._told), self._free()
            enough = min(told, self._most // 4 or 1)
            if (told and free >= enough) or (free > 0 and deadline is not None and time.monotonic() >= deadline):
                return [self._told.popleft() for _ in range(min(told, free, ROWS_PER_STATEMENT))]
            self._wanted = (enough if free > 0 else 1) if told else self._most * 2
            if self._free() >= self._wanted:
                continue
            if told and free > 0:
                deadline = deadline or time.monotonic() + HASTE
                self._news.wait(max(deadline - time.monotonic(), 0.0))
            else:
                self._news.wait()
        return []

    def _take(self, ids: list[int]) -> None:
        """Take rows in, and bring on those that may go."""
        try:
            taken = self._intake.take(ids)
        except Exception:
            self._room.leave(len(ids))
            raise
        self._carrier.put(taken.ready)
        self._gates.put(taken.gates)
        for ending in taken.ended:
            self._answers.add(Answer(ending, None))
        if taken.ended:
            self._answers.tell()
        self._told.extendleft(reversed(taken.later))
        self._room.leave(len(ids) - len(taken.ready) - len(taken.ended) - len(taken.later))
        self._settler.look_again(taken.not_claimed)
        self._settler.wake(taken.wakeups)
        by_channel: dict[str, list[float]] = defaultdict(list)
        for prepared in taken.ready:
            by_channel[prepared.row.channel].append(max(0.0, prepared.lateness))
        for channel, seconds in by_channel.items():
            LATENESS.labels(channel).observe_all(seconds)


def room_for(most: int) -> int:
    """Return how many rows may wait, or be under way, where so many may be in flight."""
    return 2 * most + 2 * ROWS_PER_MESSAGE
