"""What a handler of gates faces, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.database import Session
from engine.outbox.advance import GateEnd, Held, Step
from engine.outbox.claim import Claimed
from engine.rules.program import Place
from engine.wakeups import Due
from workers.delivery.known import Version


@dataclass(frozen=True, slots=True)
class Facing:
    """A gate that is due, in the transaction that holds its enrollment."""

    session: Session
    row: Claimed
    version: Version
    held: Held
    steps: Mapping[int, Step]
    """All steps of the enrollment, by their order."""
    now: float
    """Sequence time."""
    reached: Callable[[float], float]
    """From a moment that has come the one from which the steps behind count: that, unless it was noticed late (P5)."""

    @property
    def place(self) -> Place:
        """The step."""
        return self.version.program.places[self.row.step_order - 1]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a gate."""

    end: GateEnd | None = None
    """How it ends; None: it goes on, and its row says how."""
    ended_at: float | None = None
    """The moment from which the steps behind count; None: when it was due."""
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT, in sequence time."""


Handler: TypeAlias = Callable[[Facing], Decision]
