"""Programs of steps that do nothing: to plan with."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from engine.rules.program import Branch, Place, Program
from schema.definition import AnyStep, Delay

#: A key is a plain step, a key with a star a gate without branches, a mapping a gate with the branches named.
Shape: TypeAlias = "str | Mapping[str, Mapping[str, list[Any]]]"


class Plain(AnyStep):
    """A step behind which the times are known."""

    type: str = "sms"


class Gate(AnyStep):
    """A step behind which they are not."""

    type: str = "call"
    ways: tuple[str, ...] = ()

    @property
    def branches(self) -> Mapping[str, tuple[AnyStep, ...]]:
        return dict.fromkeys(self.ways, ())

    @property
    def gate(self) -> bool:
        return True


def program(*shapes: Shape, delay: Delay = Delay(days=1)) -> Program:  # noqa: B008 (it is immutable)
    """A program of such steps, all with the same delay."""
    places: list[Place] = []
    _add(places, shapes, (), delay)
    return Program(tuple(places))


def _add(places: list[Place], shapes: Any, within: tuple[Branch, ...], delay: Delay) -> None:
    for shape in shapes:
        order = len(places) + 1
        if isinstance(shape, str):
            model = Gate if shape.endswith("*") else Plain
            places.append(Place(order, model(key=shape.rstrip("*"), delay=delay), within))
            continue
        ((key, branches),) = shape.items()
        places.append(Place(order, Gate(key=key, delay=delay, type="condition", ways=tuple(branches)), within))
        for name, inner in branches.items():
            _add(places, inner, (*within, Branch(order, name)), delay)
