"""What would become of an enrollment: each step, when and why; the likely way, or every way there is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from engine.rules.facts import Facts
from engine.rules.planner import Timing
from engine.rules.program import Program
from engine.rules.rehearsal import Assumed, Happening, Rehearsal
from schema.states import RowStatus

#: So many ways through a sequence are told.
MOST_WAYS: Final = 64


def likely_way(program: Program, timing: Timing, facts: Facts, assumed: Assumed) -> Iterator[list[Happening]]:
    """Go through the program as it would go with what is assumed, and nothing else heard."""
    yield Rehearsal(program, timing, facts, assumed).way()


def every_way(program: Program, timing: Timing, facts: Facts, assumed: Assumed) -> Iterator[list[Happening]]:
    """Go through the program along every branch that nothing is assumed of."""
    told = Rehearsal(program, timing, facts, assumed).way()
    for happening in told:
        branches = program.places[happening.order - 1].step.branches
        if branches and happening.status is RowStatus.DONE and happening.key not in assumed.outcomes:
            for name in branches:
                outcomes = {**assumed.outcomes, happening.key: name}
                yield from every_way(program, timing, facts, replace(assumed, outcomes=outcomes))
            return
    yield told
