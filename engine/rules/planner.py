"""The planner: which steps get a time, and which are not taken, once it is known how those before stand.

Used unchanged by enrollment, workers and whoever wants to know what would be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from engine.rules.program import Place, Program
from schema.states import BLOCKING, RowStatus


@dataclass(frozen=True, slots=True)
class Timed:
    """When a step falls due."""

    due_at: float | None
    """Sequence time; None: never, it is skipped."""
    reasons: tuple[str, ...] = ()
    """How that came about; the last one tells why it is skipped."""


#: When a step falls due that comes behind one which is done at a moment, in seconds of sequence time.
Timing: TypeAlias = Callable[[Place, float], Timed]

#: How the reason of a step begins that is on a branch which is not taken.
NOT_TAKEN: Final = "branch "

#: What a row may still become when it is found that it is not taken.
NOT_BEGUN: Final = (RowStatus.WAITING, RowStatus.PENDING)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a step stands."""

    status: RowStatus
    due_at: float | None = None
    """Sequence time."""
    outcome: str | None = None
    """What a gate came to."""

    @property
    def has_ended(self) -> bool:
        """Whether those behind need not wait for it."""
        return self.status not in BLOCKING


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a step."""

    order: int
    was: RowStatus
    status: RowStatus
    due_at: float | None = None
    """Sequence time."""
    reason: str | None = None


WAITING: Final = Standing(RowStatus.WAITING)


def after_delay(place: Place, before: float) -> Timed:
    """A step is due its delay after the one before."""
    return Timed(before + place.step.delay.total_seconds())


def advance(
    program: Program, standings: Mapping[int, Standing], now: float, timing: Timing = after_delay
) -> list[Change]:
    """Tell what changes when the enrollment begins, or a gate has ended, at `now`.

    Steps up to the next gate that has not ended, and that gate, get their times; those on branches that are not taken
    are skipped. A step that has ended stays as it is, wherever it is.
    """
    changes: list[Change] = []
    standings = dict(standings)
    before = now
    for place in program.places:
        standing = standings.get(place.order, WAITING)
        if (reason := not_taken(program, place, standings)) is not None:
            if standing.status in NOT_BEGUN:
                changes.append(Change(place.order, standing.status, RowStatus.SKIPPED, reason=reason))
            continue
        if standing.status is RowStatus.WAITING:
            timed = timing(place, before)
            if timed.due_at is None:
                reason = timed.reasons[-1] if timed.reasons else "it has no time"
                changes.append(Change(place.order, RowStatus.WAITING, RowStatus.SKIPPED, reason=reason))
                standing = standings[place.order] = Standing(RowStatus.SKIPPED)
            else:
                before = max(before, timed.due_at)
                changes.append(Change(place.order, RowStatus.WAITING, RowStatus.PENDING, before))
        elif not standing.has_ended and standing.due_at is not None:
            before = max(before, standing.due_at)
        if place.step.gate and not standing.has_ended:
            break
    return changes


def withdraw(program: Program, standings: Mapping[int, Standing], order: int) -> list[Change]:
    """Tell what changes when a gate is to be done again: what has not begun behind it waits once more."""
    return [
        Change(place.order, RowStatus.PENDING, RowStatus.WAITING)
        for place in program.places
        if place.order > order and standings.get(place.order, WAITING).status is RowStatus.PENDING
    ]


def not_taken(program: Program, place: Place, standings: Mapping[int, Standing]) -> str | None:
    """Why a step is on a branch that is not taken; None: it is on none, as far as is known."""
    for branch in place.within:
        gate = standings.get(branch.gate, WAITING)
        key = program.places[branch.gate - 1].key
        if gate.status is RowStatus.DONE and gate.outcome == branch.name:
            continue
        if gate.status is RowStatus.DONE:
            return f"{NOT_TAKEN}{branch.name} not taken: {key} came to {gate.outcome}"
        if gate.has_ended:
            return f"{NOT_TAKEN}{branch.name} not taken: {key} is {gate.status}"
    return None
