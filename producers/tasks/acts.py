"""What people do with tasks of a sequence. Each act is one transaction of the caller's, and happens once."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import psycopg

from engine.database import Session
from engine.errors import InvalidInput
from engine.outbox import history
from engine.outbox.advance import GateEnd, change, end_gate, go_on, steps_of
from engine.outbox.base import before, time_of
from engine.outbox.goals import end_at_goal
from engine.outbox.resolve import REOPEN
from engine.outbox.tasks import NewTask, note_task
from engine.outbox.timing import timing_of
from engine.rules.planner import NOT_TAKEN, Change, Standing, advance, not_taken, withdraw
from engine.wakeups import Due
from producers.sequences import require_not_archived
from producers.tasks.at_hand import AtHand, take_in_hand
from schema.states import UNDECIDED, EnrollmentStatus, RowStatus

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


OUTCOME: Final = "UPDATE outbox SET outcome = %(outcome)s, fence = fence + 1 WHERE id = %(row)s AND status = 'done'"

BEHIND: Final = """
SELECT o.step_order, o.step_key, o.type, o.status, o.outcome, o.reason
FROM outbox task JOIN outbox o ON o.enrollment_id = task.enrollment_id AND o.step_order > task.step_order
WHERE task.id = %(row)s ORDER BY o.step_order FOR UPDATE OF o
"""


@dataclass(frozen=True, slots=True)
class Behind:
    """A step behind a task."""

    order: int
    key: str
    type: str
    status: str
    outcome: str | None
    reason: str | None

    @property
    def has_begun(self) -> bool:
        """Whether a person or a provider may have noticed it. A condition that was decided is decided again."""
        if self.status == RowStatus.DONE:
            return self.type != "condition"
        return self.status not in (RowStatus.WAITING, RowStatus.PENDING, RowStatus.SKIPPED) or self.outcome == UNDECIDED

    @property
    def is_planned(self) -> bool:
        """Whether the outcome of the task may have decided how it stands."""
        by_branch = self.status == RowStatus.SKIPPED and (self.reason or "").startswith(NOT_TAKEN)
        return by_branch or self.status in (RowStatus.PENDING, RowStatus.DONE)


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
    """Complete a task, early, late or out of order; the steps behind it count from now.

    Completing it again with another outcome corrects the outcome, until a later step has begun.

    Raises:
        NotFound: the enrollment has no such task.
        InvalidInput: the task can't be completed any more, or needs an outcome, or has no such outcome.
    """
    task = take_in_hand(session, workspace_id, enrollment_id, key)
    if task.status is RowStatus.DONE and outcome in (None, task.step.standing.outcome):
        return Acted(changed=False)
    if task.status is RowStatus.DONE:
        _require_outcome(task, outcome)
        return _correct(task, outcome, by)
    task.require(*TO_DO, to="completed")
    _require_outcome(task, outcome)
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
    noted = history.Change(task.held.id, task.status.value, became.value, reason, task.step.id)
    history.note(task.session, task.held.workspace_id, by or A_PERSON, [noted])


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


def _require_outcome(task: AtHand, outcome: str | None) -> None:
    """Raise InvalidInput unless the outcome is one of the task's."""
    key, allowed = task.place.key, task.task.outcomes
    if outcome is None and allowed:
        raise InvalidInput(f"task {key!r} needs an outcome: `--outcome`, one of {', '.join(allowed)}")
    if outcome is not None and not allowed:
        raise InvalidInput(f"outcome {outcome!r}: task {key!r} has no outcomes")
    if outcome is not None and outcome not in allowed:
        raise InvalidInput(f"outcome {outcome!r}: task {key!r} can come to {', '.join(allowed)}")


def _correct(task: AtHand, outcome: str | None, by: str | None) -> Acted:
    """Give a completed task another outcome, and plan the steps behind it again; they count from its completion."""
    if task.held.status is EnrollmentStatus.CANCELLED:
        task.require(*TO_DO, to="corrected")
    behind = [Behind(*row) for row in task.session.execute(BEHIND, {"row": task.step.id})]
    begun = [step.key for step in behind if step.has_begun]
    if begun:
        raise InvalidInput(f"the outcome of task {task.place.key!r} can't be corrected: {begun[0]} has begun")
    known = task.step.standing.outcome
    task.session.execute(OUTCOME, {"outcome": outcome, "row": task.step.id})
    _note(task, by, RowStatus.DONE, f"outcome corrected from {known} to {outcome}")
    waiting = [Change(step.order, RowStatus(step.status), RowStatus.WAITING) for step in behind if step.is_planned]
    change(task.session, task.held.id, waiting)
    try:
        task.session.execute(REOPEN, {"enrollments": [task.held.id]})
    except psycopg.errors.UniqueViolation:
        raise InvalidInput(
            f"the outcome of task {task.place.key!r} can't be corrected: its enrollment {task.held.id} is completed,"
            " and the contact is enrolled again"
        ) from None
    standings = {order: step.standing for order, step in steps_of(task.session, task.held.id).items()}
    base = before(task.session, task.held.id, task.place.order + 1)
    timing = timing_of(task.session, task.held.id, task.program)
    return Acted(wakeups=go_on(task.session, task.held.id, advance(task.program, standings, base, timing)))


def _done_by(by: str | None) -> str:
    return f"completed by {by}" if by else "completed"


def _out_of_order(task: AtHand) -> list[str]:
    before = task.unfinished_before()
    if not before:
        return []
    return [f"out of order: before it {', '.join(before)} {'is' if len(before) == 1 else 'are'} not done yet"]
