"""When the steps of an enrollment fall due."""

from collections.abc import Sequence
from dataclasses import dataclass

from schema.definition import Definition


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of the first stretch, and how long after the enrollment it is due."""

    order: int
    key: str
    type: str
    offset: float
    """Seconds of sequence time."""


def plan(definition: Definition) -> Sequence[PlannedStep]:
    """Plan the first stretch: each step its delay after the one before."""
    planned: list[PlannedStep] = []
    offset = 0.0
    for order, step in enumerate(definition.steps, start=1):
        offset += step.delay.total_seconds()
        planned.append(PlannedStep(order, step.key, step.type, offset))
    return planned
