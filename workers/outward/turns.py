"""Whose turn it is: rows that wait to be told to somebody, so that one who is slow does not hold up the others."""

from collections import deque
from collections.abc import Hashable
from threading import Condition
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Turns(Generic[Row]):
    """Queues by receiver; each gets its turn, and none has more than so many at once. For many threads."""

    def __init__(self, most: int) -> None:
        """Let each receiver have at most so many at once."""
        self._most = most
        self._waiting: dict[Hashable, deque[Row]] = {}
        self._busy: dict[Hashable, int] = {}
        self._order: deque[Hashable] = deque()
        self._closed = False
        self._changed = Condition()

    def put(self, receiver: Hashable, row: Row) -> None:
        """Let a row wait for its turn."""
        with self._changed:
            if receiver not in self._waiting:
                self._waiting[receiver] = deque()
                self._order.append(receiver)
            self._waiting[receiver].append(row)
            self._changed.notify()

    def take(self) -> tuple[Hashable, Row] | None:
        """The next row; whoever took it calls `done`. None: closed."""
        with self._changed:
            while not self._closed:
                receiver = self._next()
                if receiver is not None:
                    return receiver, self._take_of(receiver)
                self._changed.wait()
        return None

    def done(self, receiver: Hashable) -> None:
        """A row that was taken has had its turn."""
        with self._changed:
            left = self._busy.pop(receiver) - 1
            if left:
                self._busy[receiver] = left
            self._changed.notify()

    def close(self) -> None:
        """Give nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> Hashable | None:
        return next((one for one in self._order if self._busy.get(one, 0) < self._most), None)

    def _take_of(self, receiver: Hashable) -> Row:
        """Its oldest row; then the others have their turn."""
        rows = self._waiting[receiver]
        row = rows.popleft()
        self._order.remove(receiver)
        if rows:
            self._order.append(receiver)
        else:
            del self._waiting[receiver]
        self._busy[receiver] = self._busy.get(receiver, 0) + 1
        return row
