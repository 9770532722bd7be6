"""The faults of a storm: which, when, for how long and where. A pure function of the seed; their effect is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from deploy.chaos.kinds import HABITS, Kind

#: Real seconds from the beginning of a fault to that of the next.
GAP: Final = (0.2, 0.9)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a storm. Real seconds from its beginning."""

    kind: Kind
    at: float
    seconds: float
    """How long it lasts; 0: it is over at once."""
    pick: float
    """From 0 to 1: which one it strikes of those that are there."""
    share: float
    """Of the requests that a provider gets meanwhile: how many it strikes."""

    @property
    def until(self) -> float:
        """When it ends."""
        return self.at + self.seconds


def plan_faults(seed: int, seconds: float) -> Sequence[Fault]:
    """The faults of a storm of so many seconds, in the order in which they begin: of each kind about as many."""
    dice = Random(f"faults {seed}")  # noqa: S311 (repeatable on purpose)
    faults: list[Fault] = []
    free_at: dict[str, float] = {}
    deck: list[Kind] = []
    at = dice.uniform(*GAP)
    while at < seconds:
        if not deck:
            deck = list(Kind)
            dice.shuffle(deck)
        kind = deck.pop()
        habit = HABITS[kind]
        begins = max(at, free_at.get(habit.place, 0.0))
        fault = Fault(kind, begins, dice.uniform(habit.shortest, habit.longest), dice.random(), dice.uniform(0.2, 0.8))
        at += dice.uniform(*GAP)
        if fault.until < seconds:
            free_at[habit.place] = fault.until + habit.rest
            faults.append(fault)
    return sorted(faults, key=lambda fault: fault.at)
