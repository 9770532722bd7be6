"""When the steps of an enrollment fall due."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from engine.rules.calendar import Whereabouts, calendar_of, due, next_open
from engine.rules.calendar.whereabouts import Hours, quiet_hours_of
from schema.definition import Definition, Step


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of the first stretch, and how long after the enrollment it is due."""

    order: int
    key: str
    type: str
    offset: float | None
    """Seconds of sequence time; None: it is skipped."""
    reasons: tuple[str, ...] = ()
    """What the calendar had to say; the last one tells why it is skipped."""


@dataclass(frozen=True, slots=True)
class Contact:
    """What the plan of an enrollment needs to know of its contact."""

    where: Whereabouts
    attributes: Mapping[str, Any]
    """With those of the enrollment alone."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A step, and when it falls due."""

    order: int
    step: Step
    due_at: datetime | None
    """UTC; None: it is skipped."""
    reasons: tuple[str, ...]


def plan(definition: Definition) -> Sequence[PlannedStep]:
    """Plan the first stretch as it is where the calendar has no say: each step its delay after the one before."""
    planned: list[PlannedStep] = []
    offset = 0.0
    for order, step in enumerate(definition.steps, start=1):
        offset += step.delay.total_seconds()
        planned.append(PlannedStep(order, step.key, step.type, offset))
    return planned


def plan_for(definition: Definition, contact: Contact, started: datetime) -> list[PlannedStep]:
    """Plan the first stretch for a contact, by the calendar where it is."""
    return [
        PlannedStep(
            one.order,
            one.step.key,
            one.step.type,
            None if one.due_at is None else (one.due_at - started).total_seconds(),
            one.reasons,
        )
        for one in steps_behind(definition, contact, started=started, ended=started)
    ]


def steps_behind(
    definition: Definition, contact: Contact, *, started: datetime, ended: datetime, order: int = 0
) -> Iterator[Planned]:
    """The steps behind one that ends, or has ended, at a moment; behind order 0 are all of them.

    A step that is skipped takes no time: the one behind it keeps its delay after the one before.
    """
    for number, step in enumerate(definition.steps[order:], start=order + 1):
        calendar = calendar_of(step, definition, contact.where)
        planned = due(step, ended=ended, started=started, attributes=contact.attributes, calendar=calendar)
        yield Planned(number, step, planned.moment, planned.reasons)
        ended = planned.moment or ended


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
    by somebody: it keeps the distance that it had. Nothing moves to an earlier time.
    """
    steps = {step.key: step for step in definition.steps}
    moved: list[Behind] = []
    for one in sorted(behind, key=lambda one: one.order):
        step = steps[one.key]
        calendar = calendar_of(step, definition, contact.where)
        at = partial(due, step, started=started, attributes=contact.attributes, calendar=calendar)
        anew = at(ended=ended).moment
        if at(ended=was).moment != one.due_at:
            anew = next_open(ended + (one.due_at - was), calendar).moment
        was, ended = one.due_at, max(anew or one.due_at, one.due_at, ended)
        if ended > one.due_at:
            moved.append(replace(one, due_at=ended))
    return moved


def attributes_used(definition: Definition) -> tuple[str, ...]:
    """The attributes that the plan depends on."""
    anchors = [anchor for step in definition.steps for anchor in (step.before, step.after) if anchor is not None]
    return tuple(dict.fromkeys(anchor.attribute for anchor in anchors))


def counts_from_start(definition: Definition) -> bool:
    """Whether the time of a step depends on when the enrollment began."""
    return any(step.after_start is not None for step in definition.steps)


def uses_calendar(definition: Definition, hours: Hours) -> bool:
    """Whether the plan depends on more than delays: on a zone, a window, quiet hours, a date or the days themselves."""
    return any(
        step.delay.in_days
        or step.at is not None
        or step.after_start is not None
        or step.before is not None
        or step.after is not None
        or (definition.window if step.window is None else step.window) not in (None, "off")
        or quiet_hours_of(step, definition, hours) is not None
        for step in definition.steps
    )


def uses_phone(definition: Definition, hours: Hours) -> bool:
    """Whether the plan depends on the zones that the contact's phone may be in."""
    return any(quiet_hours_of(step, definition, hours) is not None for step in definition.steps)
