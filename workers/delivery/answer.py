"""How rows ended that the pipeline held, on their way to be settled."""

from collections import deque
from dataclasses import dataclass
from threading import Event

from engine.outbox.settle import Ending


@dataclass(slots=True)
class Answer:
    """An ending, to be settled."""

    ending: Ending
    seconds: float | None
    """Real seconds from the hand-over to the provider's answer; None: it was never handed over."""


class Answers:
    """Answers that wait to be settled. Any thread adds, one takes."""

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: deque[Answer] = deque()
        self._some = Event()

    def add(self, answer: Answer) -> None:
        """Add one; `tell` is called when a batch is complete."""
        self._waiting.append(answer)

    def tell(self) -> None:
        """Wake whoever waits for answers."""
        if not self._some.is_set():
            self._some.set()

    def wait(self) -> None:
        """Wait until somebody tells."""
        self._some.wait()

    def take(self) -> list[Answer]:
        """Take all that wait."""
        self._some.clear()
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
