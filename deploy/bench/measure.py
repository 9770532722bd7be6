"""A measure: a figure, what is asked of it, and whether it holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal

from engine.errors import CadenzaError

#: Each side of a comparison is run so often, by turns; the median counts.
REPEATS: Final = 5


class LeftOut(CadenzaError):  # noqa: N818 (what it is)
    """A measure can't be taken on this machine; says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A bound: the figure is to be at least, or at most, this."""

    bound: Literal[">=", "<=", "=="]
    figure: float

    def holds(self, value: float) -> bool:
        """Whether a value keeps to it."""
        if self.bound == ">=":
            return value >= self.figure
        return value <= self.figure if self.bound == "<=" else value == self.figure

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.bound} {self.figure:g}"


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    measure: str
    value: float
    unit: str
    asked: Asked | None
    """None: it only stands beside the others."""
    detail: str
    """The absolute figures behind it."""

    @property
    def holds(self) -> bool | None:
        """Whether it is what was asked; None if nothing was."""
        return None if self.asked is None else self.asked.holds(self.value)

    def document(self) -> dict[str, Any]:
        """As bench.json has it."""
        return {
            "measure": self.measure,
            "value": round(self.value, 4),
            "unit": self.unit,
            "asked": None if self.asked is None else str(self.asked),
            "holds": self.holds,
        }


def by_turns(ours: Callable[[], float], theirs: Callable[[], float], repeats: int = REPEATS) -> tuple[float, float]:
    """Run two sides by turns, and give the median of each."""
    figures = [(ours(), theirs()) for _ in range(repeats)]
    return median(a for a, _ in figures), median(b for _, b in figures)


def medians(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each named figure over several turns."""
    return {name: median(turn[name] for turn in figures) for name in figures[0]}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]
