"""Where an enrollment lands in another version of its sequence, and what becomes of each of its steps there.

Steps are the same when their keys are. What has ended stays as it is, and is never done again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from engine.rules.planner import Change, Standing, Timing, advance
from engine.rules.program import Place, Program
from schema.definition import ConditionStep, Definition, TimedQuestion, WaitStep
from schema.states import UNDECIDED, RowStatus

#: What nobody may take from under those who are at it, or who find out what became of it.
IN_HAND: Final[Mapping[RowStatus, str]] = {
    RowStatus.SENDING: "is being handed over",
    RowStatus.UNKNOWN: "may have been accepted, and is looked up",
    RowStatus.REVIEW: "waits for a decision: `cadenza review`",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A step of an enrollment, as it stands in the version that it comes from."""

    order: int
    key: str
    type: str
    standing: Standing
    in_doubt: bool = False
    """An earlier try may have been accepted, and it is to be sent once more."""
    passed_over: bool = False
    """Skipped by an earlier change of version, and by nothing else: it never was in its place."""

    @property
    def has_ended(self) -> bool:
        """Whether it stays as it is."""
        return self.standing.has_ended and not self.passed_over


@dataclass(frozen=True, slots=True)
class Landed:
    """A step in the new version, before the planner gives times to those that wait."""

    order: int
    """From 1 as the new version has it; below for steps that it does not have."""
    key: str
    type: str
    was: Row | None
    """None: it gets a row."""
    standing: Standing
    reason: str | None = None

    @property
    def stays(self) -> bool:
        """Whether nothing but its order may change."""
        return self.was is not None and self.was.has_ended


@dataclass(frozen=True, slots=True)
class Landing:
    """How an enrollment goes on in the new version."""

    at: str
    """The step at which it stands in the old one."""
    to: str | None
    """The step at which it lands; None: nothing is left to do."""
    steps: tuple[Landed, ...]
    changes: tuple[Change, ...]
    """What the planner says of the steps that wait."""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """An enrollment that can't be moved, now or at all."""

    at: str
    reason: str


def land(
    old: Program, new: Program, rows: Sequence[Row], *, number: int, ended: float, timing: Timing
) -> Landing | LeftAlone:
    """Tell where an enrollment lands in version `number`; the last of its steps that have ended did so at `ended`.

    `timing` is that of the new version, and gives no time that has passed already.
    """
    rows = sorted(rows, key=lambda row: row.order)
    live = [row for row in rows if not row.standing.has_ended]
    if not live:
        return LeftAlone("-", "nothing is left to do")
    at = live[0].key
    if (reason := _kept(old, new, rows, live)) is not None:
        return LeftAlone(at, reason)
    mine = {row.key: row for row in rows}
    known = {
        place.order: mine[place.key].standing for place in new.places if place.key in mine and mine[place.key].has_ended
    }
    to = _lands(new, mine, known)
    if isinstance(to, str):
        return LeftAlone(at, to)
    kept = _kept_times(old, new, mine, live, to)
    steps: list[Landed] = []
    for place in new.places:
        row = mine.get(place.key)
        if row is not None and row.has_ended:
            steps.append(Landed(place.order, row.key, row.type, row, row.standing))
        elif to is None or place.order < to.order:
            reason = f"version {number}: it comes before the step at which the enrollment went on"
            steps.append(Landed(place.order, place.key, place.type, row, Standing(RowStatus.SKIPPED), reason))
        else:
            standing = _standing(old, place, row, kept)
            waits = f"waits: {_asked(place)}" if standing.outcome == UNDECIDED else None
            steps.append(Landed(place.order, place.key, place.type, row, standing, waits))
    standings = {step.order: step.standing for step in steps}
    changes = advance(new, standings, ended, timing)
    return Landing(at, None if to is None else to.key, (*_gone(new, rows, number), *steps), tuple(changes))


def path(program: Program, place: Place) -> tuple[tuple[str, str], ...]:
    """The branches that lead to a step, by the keys of their gates."""
    return tuple((program.places[branch.gate - 1].key, branch.name) for branch in place.within)


def _kept(old: Program, new: Program, rows: Sequence[Row], live: Sequence[Row]) -> str | None:
    """Why an enrollment has to stay in its version; None: nothing keeps it."""
    for row in rows:
        if row.standing.status in IN_HAND:
            return f"a step {IN_HAND[row.standing.status]}"
        if row.in_doubt and not row.standing.has_ended:
            return "an earlier try of a step may have been accepted"
    for row in live:
        place = new.by_key.get(row.key)
        if place is not None and place.type != row.type and _begun(row):
            return f"{row.key} has begun as {row.type}, and is {place.type} there"
    place = old.by_key[live[0].key]
    for branch in place.within:
        gate = old.places[branch.gate - 1]
        there = new.by_key.get(gate.key)
        if there is None or there.type != gate.type or branch.name not in there.step.branches:
            return f"it is in a branch of {gate.key} that is not there"
        if path(new, there) != path(old, gate):
            return f"it is in a branch of {gate.key}, which is at another place there"
    there = new.by_key.get(place.key)
    if place.within and there is not None and path(new, there) != path(old, place):
        return f"it is in a branch, and {place.key} is in another one there"
    return None


def _begun(row: Row) -> bool:
    return row.standing.status is RowStatus.OPEN or row.standing.outcome == UNDECIDED


def _lands(new: Program, mine: Mapping[str, Row], known: Mapping[int, Standing]) -> Place | str | None:
    """The first step that is still to come and is in both; else the first new one behind all that have ended.

    None: there is none. A text: it can't be reached.
    """
    both = (place for place in new.places if place.key in mine and not mine[place.key].standing.has_ended)
    if (place := next(both, None)) is not None:
        return place if _reached(place, known) else f"{place.key} is in a branch there that was not taken"
    last = max(known, default=0)
    return next((place for place in new.places if place.order > last and _reached(place, known)), None)


def _reached(place: Place, known: Mapping[int, Standing]) -> bool:
    """Whether all gates before it have been decided for it."""
    taken = (known.get(branch.gate) for branch in place.within)
    return all(
        gate is not None and gate.status is RowStatus.DONE and gate.outcome == branch.name
        for gate, branch in zip(taken, place.within, strict=True)
    )


def _kept_times(old: Program, new: Program, mine: Mapping[str, Row], live: Sequence[Row], to: Place | None) -> set[str]:
    """The steps whose times stay: all that are to come up to there are what they were, and in their old order."""
    there = (
        place
        for place in new.places
        if to is not None and place.order >= to.order and not (place.key in mine and mine[place.key].has_ended)
    )
    kept: set[str] = set()
    for row, place in zip(live, there, strict=False):
        before = old.by_key[row.key]
        if row.key != place.key or row.type != place.type or path(old, before) != path(new, place):
            break
        if _rule(before, old.definition) != _rule(place, new.definition):
            break
        kept.add(row.key)
    return kept


def _rule(place: Place, definition: Definition | None) -> tuple[Any, ...]:
    """All that the time of a step depends on; of a question also what it asks, and how long."""
    step = place.step
    window, quiet, zone = step.window, step.quiet_hours, None
    if definition is not None:
        window = definition.window if window is None else window
        quiet = definition.quiet_hours if quiet is None else quiet
        zone = definition.timezone
    when = (step.delay, step.at, step.after_start, step.before, step.after, step.if_late, step.max_lateness)
    dated = step.before is not None or step.after is not None
    written = definition.date_format if dated and definition is not None else None
    return (*when, written, window, quiet, zone, _asked(place), step.gate)


def _standing(old: Program, place: Place, row: Row | None, kept: set[str]) -> Standing:
    """How a step that is still to come begins in the new version."""
    if row is None or row.passed_over:
        return Standing(RowStatus.WAITING)
    if row.key in kept or row.standing.status is RowStatus.OPEN:
        return row.standing
    if row.standing.outcome == UNDECIDED and row.standing.due_at is not None:
        # What is asked there now, for as long as it says there, from the moment on at which it was first asked.
        since = row.standing.due_at - _within(old.by_key[row.key])
        return replace(row.standing, due_at=since + _within(place))
    return Standing(RowStatus.WAITING)


def _asked(place: Place) -> TimedQuestion | None:
    match place.step:
        case ConditionStep(condition=question):
            return question
        case WaitStep(until=question):
            return question
        case _:
            return None


def _within(place: Place) -> float:
    asked = _asked(place)
    return 0.0 if asked is None or asked.within is None else asked.within.total_seconds()


def _gone(new: Program, rows: Sequence[Row], number: int) -> list[Landed]:
    """The steps that the new version does not have: before all others, in their old order."""
    gone = [row for row in rows if row.key not in new.by_key]
    reason = f"version {number} has no such step"
    return [
        Landed(place, row.key, row.type, row, row.standing)
        if row.standing.has_ended
        else Landed(place, row.key, row.type, row, Standing(RowStatus.SKIPPED), reason)
        for place, row in enumerate(gone, 1 - len(gone))
    ]
