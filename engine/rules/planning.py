"""When the steps of an enrollment fall due, as far as that is known when it begins."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from engine.rules.calendar import Whereabouts, calendar_of, due, next_open
from engine.rules.calendar.places import ATTRIBUTES
from engine.rules.calendar.whereabouts import Hours, heeds_laws, may_be_quiet
from engine.rules.planner import Timed, Timing, advance
from engine.rules.program import Place, Program
from schema.definition import Definition, Delay
from schema.states import RowStatus


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step, and how long after the enrollment it is due."""

    order: int
    key: str
    type: str
    offset: float | None
    """Seconds of sequence time; None: it waits behind a gate, or is skipped."""
    status: RowStatus = RowStatus.PENDING
    reasons: tuple[str, ...] = ()
    """What the calendar had to say; the last one tells why it is skipped."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What the plan of an enrollment needs to know of its contact."""

    where: Whereabouts
    attributes: Mapping[str, Any]
    """With those of the enrollment alone."""


def plan(definition: Definition) -> Sequence[PlannedStep]:
    """Plan all steps as it is where the calendar has no say: each its delay after the one before."""
    return _planned(Program.of(definition), 0.0)


def plan_for(definition: Definition, contact: Contact, started: datetime) -> list[PlannedStep]:
    """Plan all steps for a contact, by the calendar where it is; those behind the first gate wait."""
    program, reasons = Program.of(definition), dict[int, tuple[str, ...]]()
    timing = timing_by_calendar(definition, contact, started)

    def noted(place: Place, before: float) -> Timed:
        timed = timing(place, before)
        reasons[place.order] = timed.reasons
        return timed

    return [
        replace(step, reasons=reasons.get(step.order, ())) for step in _planned(program, started.timestamp(), noted)
    ]


def _planned(program: Program, started: float, timing: Timing | None = None) -> list[PlannedStep]:
    changes = {one.order: one for one in advance(program, {}, started, *([timing] if timing else []))}
    steps: list[PlannedStep] = []
    for place in program.places:
        change = changes.get(place.order)
        due_at = None if change is None else change.due_at
        # Rounded to what the database keeps: a moment in seconds since 1970 is not exact beyond that.
        offset = None if due_at is None else round(due_at - started, 6)
        status = RowStatus.WAITING if change is None else change.status
        steps.append(PlannedStep(place.order, place.key, place.type, offset, status))
    return steps


def timing_by_calendar(definition: Definition, contact: Contact, started: datetime) -> Timing:
    """When the steps of an enrollment fall due where its contact is."""

    def timing(place: Place, before: float) -> Timed:
        planned = due(
            place.step,
            ended=datetime.fromtimestamp(before, UTC),
            started=started,
            attributes=contact.attributes,
            calendar=calendar_of(place.step, definition, contact.where),
            first=place.order == 1,
        )
        return Timed(None if planned.moment is None else planned.moment.timestamp(), planned.reasons)

    return timing


#: A step at once after the one before it, as far as its window allows.
AT_ONCE: Final[dict[str, Any]] = {"delay": Delay(), "at": None, "after_start": None, "before": None, "after": None}


def not_before(timing: Timing, now: float) -> Timing:
    """The same times, but for those that have passed already: such a step is due as soon as it may go out."""

    def timed(place: Place, before: float) -> Timed:
        found = timing(place, before)
        if found.due_at is None or found.due_at >= now:
            return found
        return timing(replace(place, step=place.step.model_copy(update=AT_ONCE)), now)

    return timed


def with_own_delays(timing: Timing, own: Mapping[str, Delay]) -> Timing:
    """The same times, but for those steps that have a delay of their own in this enrollment."""

    def timed(place: Place, before: float) -> Timed:
        if (delay := own.get(place.key)) is None:
            return timing(place, before)
        return timing(replace(place, step=place.step.model_copy(update={**AT_ONCE, "delay": delay})), before)

    return timed


@dataclass(frozen=True, slots=True)
class Behind:
    """A step that waits behind another, and when it was to go out."""

    order: int
    key: str
    due_at: datetime


def moved_behind(
    definition: Definition,
    contact: Contact,
    *,
    started: datetime,
    was: datetime,
    ended: datetime,
    behind: Iterable[Behind],
) -> list[Behind]:
    """Plan the steps behind one anew that was to end at a moment, and ends at a later one: they keep their distance.

    They follow their own rule: delay, local time, window. A step whose time was not what its rule says has been changed
    by somebody: it keeps the distance that it had. One that its rule would skip now goes out as soon as it may. Nothing
    moves to an earlier time.
    """
    steps = {step.key: step for step in definition.walk()}
    moved: list[Behind] = []
    for one in sorted(behind, key=lambda one: one.order):
        step = steps[one.key]
        calendar = calendar_of(step, definition, contact.where)
        at = partial(due, step, started=started, attributes=contact.attributes, calendar=calendar)
        anew = at(ended=ended).moment
        if at(ended=was).moment != one.due_at:
            anew = next_open(ended + (one.due_at - was), calendar).moment
        elif anew is None:
            anew = next_open(ended, calendar).moment
        was, ended = one.due_at, max(anew or one.due_at, one.due_at, ended)
        if ended > one.due_at:
            moved.append(replace(one, due_at=ended))
    return moved


def attributes_used(definition: Definition, hours: Hours) -> tuple[str, ...]:
    """The attributes that the plan depends on: dates, and where the contact is if the law asks for quiet hours."""
    anchors = [anchor for step in definition.walk() for anchor in (step.before, step.after) if anchor is not None]
    places = ATTRIBUTES if any(heeds_laws(step, definition, hours) for step in definition.walk()) else ()
    return tuple(dict.fromkeys([*(anchor.attribute for anchor in anchors), *places]))


def counts_from_start(definition: Definition) -> bool:
    """Whether the time of a step depends on when the enrollment began."""
    return any(step.after_start is not None for step in definition.walk())


def uses_calendar(definition: Definition, hours: Hours) -> bool:
    """Whether the plan depends on more than delays: on a zone, a window, quiet hours, a date or the days themselves."""
    return any(
        step.delay.in_days
        or step.at is not None
        or step.after_start is not None
        or step.before is not None
        or step.after is not None
        or (definition.window if step.window is None else step.window) not in (None, "off")
        or may_be_quiet(step, definition, hours)
        for step in definition.walk()
    )


def uses_phone(definition: Definition, hours: Hours) -> bool:
    """Whether the plan depends on the zones that the contact's phone may be in."""
    return any(may_be_quiet(step, definition, hours) for step in definition.walk())
