"""Cancel an enrollment, skip steps, let the next one go now. When it returns, nothing that was given up is begun."""

from dataclasses import dataclass
from typing import Final

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.errors import InvalidInput, NotFound, UnderWay
from engine.outbox import steer
from engine.outbox.advance import hold, program_of
from engine.outbox.history import Change, note
from engine.outbox.steer import Step
from engine.rules.program import Program
from engine.wakeups import Wakeups
from producers.enrollments import Enrollment, find_enrollment
from producers.operator import Operator
from producers.unknown import unknown
from producers.waking import wake
from producers.workspaces import find_workspace
from schema.states import BLOCKING, EnrollmentStatus, RowStatus

#: The exit reason of an enrollment that an operator has cancelled.
OPERATOR: Final = "operator"

HELD: Final = """
SELECT FROM holds h JOIN enrollments e ON h.workspace_id = e.workspace_id
    AND (h.sequence_id IS NULL OR h.sequence_id = e.sequence_id)
WHERE e.id = %s LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Steered:
    """What became of it."""

    changed: bool
    steps: list[str]
    """The steps that were given up or let go."""
    under_way: int
    """Steps that had been begun by then, and can't be called back."""
    woken: bool = True


def cancel(database: Database, operator: Operator, enrollment_id: int) -> Steered:
    """End an enrollment: what has not begun never will.

    Raises:
        InvalidInput: it is complete, or there is none.
    """
    with database.transaction() as session:
        workspace_id, found = _enrollment(session, operator, enrollment_id)
        if found.status == EnrollmentStatus.COMPLETED:
            raise InvalidInput(f"enrollment {enrollment_id} is completed: there is nothing to cancel")
        given_up = [step.step_key for step in steer.steps_of(session, enrollment_id) if _can_be_given_up(step)]
        changed = steer.cancel(session, enrollment_id, OPERATOR)
        if changed:
            change = Change(enrollment_id, found.status, EnrollmentStatus.CANCELLED, operator.reason)
            note(session, workspace_id, operator.name, [change])
        return Steered(changed, given_up if changed else [], steer.under_way(session, enrollment_id))


def skip(
    database: Database, wakeups: Wakeups, operator: Operator, enrollment_id: int, step: str, *, to: bool = False
) -> Steered:
    """Give up a step that has not been handed over; with `to`, all those before the step.

    The steps behind count from this moment if the step has begun, else from when the step before it ended. With `to`,
    a condition before the step takes the branch that leads to the step.

    Raises:
        InvalidInput: a step has ended.
        NotFound: the enrollment has no such step.
        UnderWay: a worker is handing a step over.
    """
    clock = SequenceClock(database)
    with database.transaction() as session:
        _, found = _enrollment(session, operator, enrollment_id)
        _require_running(found)
        held = hold(session, enrollment_id)
        if held is None:
            raise AssertionError("an enrollment is gone that this transaction holds")
        program = program_of(session, held.version_id)
        steps = steer.steps_of(session, enrollment_id)
        target = _step(steps, step)
        _require_not_ended(enrollment_id, target)
        branches = _branches(program, step) if to else {}
        giving_up = _passed_over(program, steps, target, branches) if to else [target]
        for one in giving_up:
            _require_not_ended(enrollment_id, one)
        due = steer.skip(session, clock, held, program, giving_up, branches, operator.name, operator.reason)
        under_way = steer.under_way(session, enrollment_id)
    return Steered(bool(giving_up), [one.step_key for one in giving_up], under_way, wake(wakeups, due))


def run_now(database: Database, wakeups: Wakeups, operator: Operator, enrollment_id: int) -> Steered:
    """Let the next step go now; those behind it keep their distance to it.

    Raises:
        InvalidInput: the enrollment is paused or has ended, or something else keeps its next step.
        UnderWay: it is on its way.
    """
    with database.transaction() as session:
        workspace_id, found = _enrollment(session, operator, enrollment_id)
        _require_running(found)
        if found.status == EnrollmentStatus.PAUSED or session.execute(HELD, (enrollment_id,)).fetchone() is not None:
            raise InvalidInput(f"enrollment {enrollment_id} is paused: `cadenza resume` first")
        following = next((one for one in steer.steps_of(session, enrollment_id) if one.status in BLOCKING), None)
        if following is None:
            raise InvalidInput(f"enrollment {enrollment_id} has no step that is still to come")
        _require_pending(enrollment_id, following)
        due = steer.run_now(session, enrollment_id, following)
        change = Change(enrollment_id, following.status, "due now", operator.reason, following.id)
        note(session, workspace_id, operator.name, [change])
    return Steered(True, [following.step_key], 0, wake(wakeups, due))


def _enrollment(session: Session, operator: Operator, enrollment_id: int) -> tuple[int, Enrollment]:
    """The workspace and the enrollment, which nobody ends before the transaction does."""
    workspace_id = find_workspace(session, operator.workspace).id
    return workspace_id, find_enrollment(session, workspace_id, enrollment_id, lock=True)


def _require_running(enrollment: Enrollment) -> None:
    if enrollment.status not in (EnrollmentStatus.ACTIVE, EnrollmentStatus.PAUSED):
        raise InvalidInput(f"enrollment {enrollment.id} is {enrollment.standing}: nothing of it is still to come")


def _step(steps: list[Step], key: str) -> Step:
    for step in steps:
        if step.step_key == key:
            return step
    raise NotFound(unknown("step", key, [step.step_key for step in steps], "the enrollment has no steps"))


def _branches(program: Program, step: str) -> dict[int, str]:
    """Return the branches that lead to a step, by the orders of their conditions."""
    return {branch.gate: branch.name for branch in program.by_key[step].within}


def _passed_over(program: Program, steps: list[Step], target: Step, branches: dict[int, str]) -> list[Step]:
    """Return the steps before the target that have not ended; steps on other branches are left to the planner."""
    return [
        one
        for one in steps
        if 0 < one.step_order < target.step_order
        and one.status in BLOCKING
        and all(
            branches.get(branch.gate, branch.name) == branch.name
            for branch in program.places[one.step_order - 1].within
        )
    ]


def _can_be_given_up(step: Step) -> bool:
    return step.status in (RowStatus.PENDING, RowStatus.WAITING, RowStatus.OPEN)


def _require_not_ended(enrollment_id: int, step: Step) -> None:
    """Raise InvalidInput or UnderWay unless the step can still be given up."""
    if step.status not in (RowStatus.WAITING, RowStatus.OPEN):
        _require_pending(enrollment_id, step)


def _require_pending(enrollment_id: int, step: Step) -> None:
    """Raise InvalidInput or UnderWay unless the step waits for its time and nothing else."""
    if step.status == RowStatus.SENDING:
        raise UnderWay(f"step {step.step_key} of enrollment {enrollment_id} is on its way and can't be called back")
    if step.status in (RowStatus.UNKNOWN, RowStatus.REVIEW):
        raise InvalidInput(
            f"step {step.step_key} of enrollment {enrollment_id} may have been accepted: decide it with"
            f" `cadenza review {step.id} skip`"
        )
    if step.status != RowStatus.PENDING:
        raise InvalidInput(f"step {step.step_key} of enrollment {enrollment_id} is {step.status}")
