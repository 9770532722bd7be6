"""A definition as a program: all steps in one row, with the branches that lead to each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from schema.definition import AnyStep, Definition


@dataclass(frozen=True, slots=True)
class Branch:
    """One way on from a gate that decides."""

    gate: int
    """The order of the gate."""
    name: str
    """The outcome of the gate that leads here."""


@dataclass(frozen=True, slots=True)
class Place:
    """A step in the program."""

    order: int
    """From 1: a step before the steps within it, and those before the step behind it."""
    step: AnyStep
    within: tuple[Branch, ...] = ()
    """The branches that lead to it, the outermost first."""

    @property
    def key(self) -> str:
        """The key of the step."""
        return self.step.key

    @property
    def type(self) -> str:
        """The type of the step."""
        return self.step.type


@dataclass(frozen=True)
class Program:
    """The steps of a sequence version in the order in which they are gone through; branches join again."""

    places: tuple[Place, ...]
    definition: Definition | None = None
    """What it is made of; None: steps by themselves, to which no calendar applies."""

    @classmethod
    def of(cls, definition: Definition) -> "Program":
        """Flatten a definition."""
        return cls(tuple(_flatten(definition.steps, 1, ())), definition)

    @property
    def has_goal(self) -> bool:
        """Whether there is something that ends the enrollment when it is so."""
        return self.definition is not None and self.definition.goal is not None

    @cached_property
    def by_key(self) -> dict[str, Place]:
        """The places by the keys of their steps."""
        return {place.key: place for place in self.places}


def _flatten(steps: Sequence[AnyStep], first: int, within: tuple[Branch, ...]) -> Iterator[Place]:
    order = first
    for step in steps:
        place = Place(order, step, within)
        yield place
        order += 1
        for name, inner in step.branches.items():
            for nested in _flatten(inner, order, (*within, Branch(place.order, name))):
                yield nested
                order = nested.order + 1
