"""Change the steps of one enrollment: when a step is due, or whether it is there at all; its sequence stays."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.clock import from_epoch, sequence_now
from engine.database import Database, Session
from engine.errors import InvalidInput, NotFound, UnderWay
from engine.outbox import advance, alter
from engine.outbox.advance import GateEnd, Held, hold, program_of
from engine.outbox.base import before, time_of
from engine.outbox.history import Change, note
from engine.outbox.steer import Step, steps_of
from engine.outbox.sweep import wakeups_of
from engine.rules.program import Place, Program
from engine.wakeups import Wakeups
from producers.operator import Operator
from producers.unknown import unknown
from producers.waking import wake
from producers.workspaces import find_workspace
from schema.definition import Delay
from schema.states import MESSAGE_TYPES, UNDECIDED, EnrollmentStatus, RowStatus

#: Two messages at once would be one too many.
SHORTEST: Final = 60.0

BEGUN: Final = {
    RowStatus.SENDING: "is on its way",
    RowStatus.OPEN: "is with a person: `cadenza task snooze` or `skip`, or `cadenza delete-step`",
    RowStatus.UNKNOWN: "may have been accepted",
    RowStatus.REVIEW: "waits for a decision: `cadenza review`",
}

ACTIVE: Final = """
SELECT coalesce(t.assignee, 'nobody') FROM outbox o LEFT JOIN tasks t ON t.outbox_id = o.id
WHERE o.enrollment_id = %(enrollment)s AND o.workspace_id = %(workspace)s AND o.step_key = %(step)s
    AND o.status = 'open'
"""

STANDING: Final = "SELECT outcome, reason, date_part('epoch', due_at) FROM outbox WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Altered:
    """What became of a step."""

    step: str
    due_at: datetime | None
    """Sequence time; None: it waits behind a gate, or is deleted."""
    says: str
    woken: bool = True


@dataclass(frozen=True, slots=True)
class _AtHand:
    """A step that has not begun, in an enrollment that this transaction holds."""

    held: Held
    program: Program
    place: Place
    row: Step
    due_at: float | None


def reschedule(
    database: Database,
    wakeups: Wakeups,
    operator: Operator,
    enrollment_id: int,
    step: str,
    *,
    delay: Delay | None = None,
    at: datetime | None = None,
) -> Altered:
    """Give a step another delay after the one before it, or a moment, in this enrollment; those behind keep theirs.

    Raises:
        InvalidInput: it has begun or ended, or that would be in the past, or too soon after the step before.
        UnderWay: it is being handed over.
    """
    with database.transaction() as session:
        mine = _take(session, operator, enrollment_id, step)
        now = sequence_now(session)
        if at is not None and at < now:
            raise InvalidInput(f"{at.isoformat()} has passed: it is {now.isoformat()}")
        if delay is not None:
            _require_apart(mine, delay)
            alter.set_delay(session, enrollment_id, step, delay)
            said = f"{delay} after {'the enrollment' if mine.place.order == 1 else 'the step before'}"
        else:
            said = "at a moment of its own"
        due_at = None
        if mine.due_at is not None:
            moved = _moved(session, mine, at)
            due_at = from_epoch(moved.due_at)
            if due_at < now:
                raise InvalidInput(f"step {step!r} would be due at {due_at:%Y-%m-%d %H:%M:%S} UTC, which has passed")
            said = "; ".join([f"due {due_at:%Y-%m-%d %H:%M:%S} UTC, {said}", *_windows(moved, at)])
            reason = f"rescheduled: {said}"
            alter.move(session, mine.held, mine.row.id, mine.place, mine.due_at, moved, reason, fixed=at is not None)
        elif at is not None:
            raise InvalidInput(f"step {step!r} waits behind a gate and has no time yet: give a --delay, no moment")
        else:
            said = f"{said}, when what it waits for has ended"
        alter.mark_modified(session, enrollment_id)
        reason = "; ".join(filter(None, [operator.reason, said]))
        _note(session, mine, operator, Change(enrollment_id, mine.row.status, "rescheduled", reason, mine.row.id))
        due = wakeups_of(session, [enrollment_id])
    return Altered(step, due_at, said, wake(wakeups, due))


def assignee_of_active(database: Database, operator: Operator, enrollment_id: int, step: str) -> str | None:
    """Return who has a task that is active, or `nobody`; None: the step is no active task."""
    with database.transaction() as session:
        workspace_id = find_workspace(session, operator.workspace).id
        row = session.execute(ACTIVE, {"enrollment": enrollment_id, "step": step, "workspace": workspace_id}).fetchone()
        return None if row is None else str(row[0])


def delete_step(
    database: Database, wakeups: Wakeups, operator: Operator, enrollment_id: int, step: str, *, active: bool = False
) -> Altered:
    """Take a step out of an enrollment; what is behind it goes on as if it had never been.

    `active`: also a task that a person has; the steps behind it count from now.

    Raises:
        InvalidInput: it has begun or ended, or somebody has deleted it already.
        UnderWay: it is being handed over.
    """
    with database.transaction() as session:
        mine = _take(session, operator, enrollment_id, step, active=active)
        now = time_of(session, enrollment_id)
        delete = _delete_active if mine.row.status == RowStatus.OPEN else alter.delete
        if not delete(session, mine.held, mine.program, mine.place, now):
            raise AssertionError("a row changed whose enrollment is held")
        alter.forget_delay(session, enrollment_id, step)
        alter.mark_modified(session, enrollment_id)
        reason = "; ".join(filter(None, [operator.reason, alter.DELETED]))
        _note(session, mine, operator, Change(enrollment_id, mine.row.status, RowStatus.SKIPPED, reason, mine.row.id))
        due = wakeups_of(session, [enrollment_id])
    return Altered(step, None, "deleted; the enrollment is modified", wake(wakeups, due))


def _delete_active(session: Session, held: Held, program: Program, place: Place, now: float) -> bool:
    """End an active task as deleted. False: somebody else has ended it."""
    steps = advance.steps_of(session, held.id)
    end = GateEnd(place.order, RowStatus.SKIPPED, alter.DELETED)
    return advance.end_gate(session, held, program, steps, end, now) is not None


def _take(session: Session, operator: Operator, enrollment_id: int, key: str, *, active: bool = False) -> _AtHand:
    """Hold the enrollment and its steps, and find the one in it that may be changed."""
    workspace_id = find_workspace(session, operator.workspace).id
    held = hold(session, enrollment_id) if 0 < enrollment_id < 2**63 else None
    if held is None or held.workspace_id != workspace_id:
        raise NotFound(f"no enrollment {enrollment_id} in this workspace")
    if held.status not in (EnrollmentStatus.ACTIVE, EnrollmentStatus.PAUSED):
        raise InvalidInput(f"enrollment {enrollment_id} is {held.status}: nothing of it is still to come")
    program = program_of(session, held.version_id)
    rows = {row.step_key: row for row in steps_of(session, enrollment_id)}
    if key not in rows:
        raise NotFound(unknown("step", key, list(rows), "the enrollment has no steps"))
    row = rows[key]
    outcome, why, due_at = session.execute(STANDING, (row.id,)).fetchone() or (None, None, None)
    if not (active and row.status == RowStatus.OPEN):
        _require_not_begun(enrollment_id, row, outcome, why)
    return _AtHand(held, program, program.by_key[key], row, due_at if row.status == RowStatus.PENDING else None)


def _require_not_begun(enrollment_id: int, row: Step, outcome: str | None, why: str | None) -> None:
    what = f"step {row.step_key!r} of enrollment {enrollment_id}"
    if row.status == RowStatus.SENDING:
        raise UnderWay(f"{what} is on its way and can't be called back")
    if row.status in BEGUN:
        raise InvalidInput(f"{what} {BEGUN[RowStatus(row.status)]}")
    if row.in_doubt:
        raise InvalidInput(f"{what} may have been accepted: `cadenza skip` it, and decide with `cadenza review`")
    if outcome == UNDECIDED:
        raise InvalidInput(f"{what} has begun: it waits for what may be heard")
    if row.status not in (RowStatus.PENDING, RowStatus.WAITING):
        raise InvalidInput(f"{what} is {row.status}{f' ({why})' if why else ''}")


def _require_apart(mine: _AtHand, delay: Delay) -> None:
    if mine.place.type in MESSAGE_TYPES and mine.place.order > 1 and delay.total_seconds() < SHORTEST:
        raise InvalidInput(f"{delay} is too soon after the step before: at least 1 minute")


def _moved(session: Session, mine: _AtHand, at: datetime | None) -> alter.Moved:
    if at is None:
        return alter.by_delay(session, mine.held, mine.program, mine.place)
    earliest = before(session, mine.held.id, mine.place.order)
    if mine.place.order > 1 and mine.place.type in MESSAGE_TYPES:
        earliest += SHORTEST
    moved = alter.by_moment(session, mine.held, mine.program, mine.place, at)
    if moved.due_at < earliest:
        when = f"{from_epoch(earliest):%Y-%m-%d %H:%M:%S}"
        raise InvalidInput(f"step {mine.place.key!r} would overtake the one before it: at {when} UTC at the earliest")
    return moved


def _windows(moved: alter.Moved, at: datetime | None) -> list[str]:
    """Where it lands if it may not go out when it was asked to."""
    if at is None or not moved.reasons:
        return []
    return [f"not at {at.isoformat()}: {', '.join(moved.reasons)}"]


def _note(session: Session, mine: _AtHand, operator: Operator, change: Change) -> None:
    note(session, mine.held.workspace_id, operator.name, [change])
