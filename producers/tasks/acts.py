"""What people do with tasks of a sequence. Each act is one transaction of the caller's, and happens once."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import psycopg

from engine.database import Session
from engine.errors import InvalidInput
from engine.outbox.advance import GateEnd, change, end_gate, go_on
from engine.outbox.base import before, time_of
from engine.outbox.goals import end_at_goal
from engine.outbox.history import Change
from engine.outbox.history import note as write_down
from engine.outbox.resolve import REOPEN
from engine.outbox.tasks import NewTask, note_task
from engine.outbox.timing import timing_of
from engine.rules.planner import Standing, advance, not_taken, withdraw
from engine.wakeups import Due
from producers.sequences import require_not_archived
from producers.tasks.at_hand import AtHand, take_in_hand
from schema.states import RowStatus

#: What can still be done, snoozed or skipped.
TO_DO: Final = (RowStatus.OPEN, RowStatus.PENDING, RowStatus.WAITING)

#: Who did it, if they do not say who they are.
A_PERSON: Final = "a person"

SKIPPED: Final = "skipped by a person"

ENDED: Final = """
UPDATE tasks SET ended_at = sequence_now(), ended_by = %(by)s, note = coalesce(%(note)s, note) WHERE outbox_id = %(row)s
"""
NOT_ENDED: Final = """
UPDATE tasks SET ended_at = NULL, ended_by = NULL, reopened_at = clock_timestamp() WHERE outbox_id = %(row)s
"""
ASSIGN: Final = "UPDATE tasks SET assignee = %(assignee)s WHERE outbox_id = %(row)s"

SNOOZE: Final = """
UPDATE outbox SET status = 'pending', due_at = %(until)s, rescheduled_at = sequence_now(), fence = fence + 1,
    reason = 'snoozed' WHERE id = %(row)s AND fence = %(fence)s
"""
REOPEN_ROW: Final = """
UPDATE outbox SET status = %(status)s, outcome = NULL, reason = 'reopened', counts_from = NULL, fence = fence + 1
WHERE id = %(row)s AND fence = %(fence)s AND status IN ('done', 'skipped')
"""


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of it."""

    changed: bool = True
    """False: it was so already."""
    warnings: list[str] = field(default_factory=list)
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT, in sequence time."""


def complete(
    session: Session,
    workspace_id: int,
    enrollment_id: int,
    key: str,
    *,
    outcome: str | None = None,
    note: str | None = None,
    by: str | None = None,
) -> Acted:
    """Say that a task is done, early, late or out of order; the steps behind it count from now.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it can't be completed any more, or not with this outcome.
    """
    task = take_in_hand(session, workspace_id, enrollment_id, key)
    allowed = task.task.outcomes
    if outcome is not None and outcome not in allowed:
        raise InvalidInput(
            f"outcome {outcome!r}: "
            + (f"task {key!r} can come to {', '.join(allowed)}" if allowed else f"task {key!r} has no outcomes")
        )
    if task.status is RowStatus.DONE:
        return _done_before(task, outcome)
    task.require(*TO_DO, to="completed")
    wakeups = _end(task, GateEnd(task.place.order, RowStatus.DONE, _done_by(by), outcome), note, by)
    return Acted(warnings=_out_of_order(task), wakeups=wakeups)


def skip(session: Session, workspace_id: int, enrollment_id: int, key: str, *, by: str | None = None) -> Acted:
    """Leave a task undone. The steps behind it count from now; if its time has not come, from the step before it.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it can't be skipped any more.
    """
    task = take_in_hand(session, workspace_id, enrollment_id, key)
    if task.status is RowStatus.SKIPPED:
        return Acted(changed=False)
    task.require(*TO_DO, to="skipped")
    reason = f"{SKIPPED}: {by}" if by else SKIPPED
    due_at, order = task.step.standing.due_at, task.place.order
    if task.status is RowStatus.OPEN or (due_at is not None and due_at <= time_of(session, enrollment_id)):
        return Acted(wakeups=_end(task, GateEnd(order, RowStatus.SKIPPED, reason), None, by))
    end = GateEnd(order, RowStatus.SKIPPED, reason, began=False)
    return Acted(wakeups=_end(task, end, None, by, before(session, enrollment_id, order)))


def reassign(session: Session, workspace_id: int, enrollment_id: int, key: str, assignee: str) -> Acted:
    """Give a task to somebody else.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it is nobody's any more.
    """
    task = take_in_hand(session, workspace_id, enrollment_id, key)
    task.require(*TO_DO, to="given to somebody")
    _write(task)
    session.execute(ASSIGN, {"assignee": assignee, "row": task.step.id})
    _note(task, None, task.status, f"given to {assignee}")
    return Acted()


def snooze(session: Session, workspace_id: int, enrollment_id: int, key: str, by: timedelta) -> Acted:
    """Put a task off: it is active again so much later than now.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it has ended, or waits behind another step and has no time yet.
    """
    task = take_in_hand(session, workspace_id, enrollment_id, key)
    task.require(RowStatus.OPEN, RowStatus.PENDING, to="snoozed")
    until = task.now + by
    session.execute(SNOOZE, {"row": task.step.id, "fence": task.step.fence, "until": until})
    _note(task, None, RowStatus.PENDING, f"snoozed until {until.isoformat()}")
    return Acted(wakeups=[(until.timestamp(), [task.step.id])])


def reopen(session: Session, workspace_id: int, enrollment_id: int, key: str) -> Acted:
    """Say that a task is not done after all: what has not begun behind it waits for it once more.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it has not ended, or was never to be done, or its sequence is archived.
    """
    task = take_in_hand(session, workspace_id, enrollment_id, key)
    if task.status is RowStatus.OPEN:
        return Acted(changed=False)
    task.require(RowStatus.DONE, RowStatus.SKIPPED, to="reopened")
    require_not_archived(session, task.held.sequence_id)
    standings = {order: step.standing for order, step in task.steps.items()}
    if task.status is RowStatus.SKIPPED and not_taken(task.program, task.place, standings) is not None:
        raise InvalidInput(f"task {key!r} can't be reopened: it is on a branch that is not taken")
    had_time = task.step.standing.due_at is not None
    status = RowStatus.OPEN if had_time else RowStatus.WAITING
    session.execute(REOPEN_ROW, {"row": task.step.id, "fence": task.step.fence, "status": status.value})
    session.execute(NOT_ENDED, {"row": task.step.id})
    _note(task, None, status, "reopened")
    _write(task)
    changes = withdraw(task.program, standings, task.place.order)
    change(session, enrollment_id, changes)
    standings[task.place.order] = Standing(status, task.step.standing.due_at)
    for one in changes:
        standings[one.order] = Standing(RowStatus.WAITING)
    try:
        session.execute(REOPEN, {"enrollments": [enrollment_id]})
    except psycopg.errors.UniqueViolation:
        raise InvalidInput(
            f"task {key!r} can't be reopened: its enrollment {enrollment_id} has ended, and the contact has been"
            " enrolled anew"
        ) from None
    begun = [
        place.key
        for place in task.program.places[task.place.order :]
        if standings[place.order].has_ended and standings[place.order].status is not RowStatus.SKIPPED
    ]
    warnings = [f"these had gone on meanwhile, and stay as they are: {', '.join(begun)}"] if begun else []
    timing = timing_of(session, enrollment_id, task.program)
    due = go_on(session, enrollment_id, advance(task.program, standings, _now(task), timing))
    return Acted(warnings=warnings, wakeups=due)


def _end(task: AtHand, end: GateEnd, note: str | None, by: str | None, base: float | None = None) -> list[Due]:
    base = _now(task) if base is None else base
    due = end_gate(task.session, task.held, task.program, task.steps, end, base)
    if due is None:
        raise AssertionError("a row changed whose enrollment is held")
    _write(task)
    task.session.execute(ENDED, {"row": task.step.id, "by": by, "note": note})
    _note(task, by, end.status, " ".join(filter(None, [end.outcome and f"came to {end.outcome}", note])) or None)
    if task.program.has_goal and end_at_goal(task.session, [task.held.id]):
        return []
    return due


def _note(task: AtHand, by: str | None, became: RowStatus, reason: str | None) -> None:
    change = Change(task.held.id, task.status.value, became.value, reason, task.step.id)
    write_down(task.session, task.held.workspace_id, by or A_PERSON, [change])


def _now(task: AtHand) -> float:
    return task.now.timestamp()


def _write(task: AtHand) -> None:
    """Make sure that there is a task of the step: one that is not due yet has none."""
    step = task.task
    note_task(
        task.session,
        NewTask(
            workspace_id=task.held.workspace_id,
            enrollment_id=task.held.id,
            outbox_id=task.step.id,
            type=step.type,
            name=step.name or step.key,
            description=None,
            priority=step.priority.value,
            assignee=None,
        ),
    )


def _done_before(task: AtHand, outcome: str | None) -> Acted:
    """It is done once: a second time says the same, or comes too late."""
    known = task.step.standing.outcome
    if outcome is not None and outcome != known:
        raise InvalidInput(
            f"task {task.place.key!r} was completed already, {f'as {known}' if known else 'without an outcome'}:"
            " reopen it first"
        )
    return Acted(changed=False)


def _done_by(by: str | None) -> str:
    return f"completed by {by}" if by else "completed"


def _out_of_order(task: AtHand) -> list[str]:
    before = task.unfinished_before()
    if not before:
        return []
    return [f"out of order: before it {', '.join(before)} {'is' if len(before) == 1 else 'are'} not done yet"]
