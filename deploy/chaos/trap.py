"""A trap: at which point of a conversation a connection is to be struck, and how."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Condition


class Way(StrEnum):
    """A direction through the proxy."""

    UP = "up"
    """From the client to the server."""
    DOWN = "down"
    """From the server to the client."""

    @property
    def back(self) -> "Way":
        """The other one."""
        return Way.DOWN if self is Way.UP else Way.UP


class Strike(StrEnum):
    """What happens to a connection."""

    CUT = "cut"
    """Closed on both sides, in an orderly way (FIN)."""
    RESET = "reset"
    """The client's side is reset (RST), the server's is closed."""
    STALL = "stall"
    """Nothing passes any more, either way; it goes on when released, and ends when one side does."""


class Moment(StrEnum):
    """When it strikes, seen from the words that spring the trap."""

    BEFORE = "before"
    """What holds the last of the words is not passed on."""
    AFTER = "after"
    """It is passed on, and then it strikes."""
    ANSWERED = "answered"
    """It is passed on, and the other side has begun to answer; the answer is not passed on. So it has been heard."""


@dataclass
class Trap:
    """Struck is a connection on which all the words were said, one after the other, or so many bytes."""

    words: Sequence[bytes]
    strike: Strike
    moment: Moment = Moment.ANSWERED
    way: Way = Way.UP
    after_bytes: int | None = None
    """Instead of words: exactly so many bytes are passed on."""
    times: int = 1
    """So many connections are struck; the others go on."""
    then: Callable[[], None] | None = None
    """Done at the very moment of the last strike, before anything else passes. In the proxy's thread: not to wait."""
    struck: int = 0
    _sprung: int = 0
    _changed: Condition = field(default_factory=Condition, repr=False)

    def spring(self) -> bool:
        """Choose a connection; False: so many have been chosen already."""
        if self._sprung >= self.times:
            return False
        self._sprung += 1
        return True

    def strikes(self) -> None:
        """Count a connection that is struck now."""
        if self.struck + 1 == self.times and self.then is not None:
            self.then()
        with self._changed:
            self.struck += 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until it has struck as often as it may; False: it has not within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.struck >= self.times, seconds)


class Ear:
    """Listens for the words of a trap on one connection, also where a word comes in pieces."""

    def __init__(self, trap: Trap) -> None:
        """Begin with the first word."""
        self.trap = trap
        self._next = 0
        self._tail = b""
        self._bytes = 0

    def hear(self, said: bytes) -> int | None:
        """Tell how much of what is said comes before the strike; None: the trap is not sprung."""
        if self.trap.after_bytes is not None:
            return self._count(self.trap.after_bytes, said)
        heard = self._tail + said
        while self._next < len(self.trap.words):
            word = self.trap.words[self._next]
            place = heard.find(word)
            if place < 0:
                self._tail = heard[len(heard) - len(word) + 1 :] if len(word) > 1 else b""
                return None
            heard = heard[place + len(word) :]
            self._next += 1
        self._next, self._tail = 0, b""
        return len(said)

    def _count(self, limit: int, said: bytes) -> int | None:
        before = self._bytes
        self._bytes += len(said)
        return limit - before if before <= limit < self._bytes else None
