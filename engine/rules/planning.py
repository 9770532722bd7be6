"""When the steps of an enrollment fall due, as far as that is known when it begins."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.rules.planner import advance
from engine.rules.program import Program
from schema.definition import Definition


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step, and how long after the enrollment it is due."""

    order: int
    key: str
    type: str
    offset: float | None
    """Seconds of sequence time; None: it waits behind a gate."""


def plan(definition: Definition) -> Sequence[PlannedStep]:
    """Plan all steps: those up to the first gate have their times, the others wait."""
    program = Program.of(definition)
    offsets = {change.order: change.due_at for change in advance(program, {}, 0.0)}
    return [PlannedStep(place.order, place.key, place.type, offsets.get(place.order)) for place in program.places]
