"""What an operator does to one enrollment: cancel it, skip steps, send the next one now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from engine.clock import SequenceClock, from_epoch, sequence_now
from engine.database import Session
from engine.outbox import advance
from engine.outbox.advance import GateEnd, Held
from engine.outbox.alter import close_up
from engine.outbox.base import BEGUN, before, time_of
from engine.outbox.following import LATE
from engine.outbox.history import Change, note
from engine.outbox.leave import IN_DOUBT, leave_one
from engine.outbox.lookups import checked
from engine.outbox.replan import Late, replan_behind
from engine.outbox.resolve import Resolution, resolve
from engine.outbox.sweep import wakeups_of
from engine.outbox.timing import timing_of
from engine.rules.planner import advance as planned
from engine.rules.planning import not_before
from engine.rules.program import Program
from engine.wakeups import Due
from schema.states import RowStatus

#: Waits for whoever is beginning one of them. The enrollment is locked before (producers/enrollments.py).
STEPS: Final = f"""
SELECT o.id, o.step_order, o.step_key, o.status, o.fence, {IN_DOUBT} AS in_doubt, {BEGUN} AS begun
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
WHERE o.enrollment_id = %s ORDER BY o.step_order FOR UPDATE OF o
"""

#: The whole rest of the enrollment comes earlier by as much as its next step does.
NOW: Final = f"""
UPDATE outbox o SET due_at = o.due_at - early.time, retry_at = NULL
FROM (
    SELECT greatest(first.due_at - sequence_now(), interval '0') AS time FROM outbox first WHERE first.id = %(row)s
) AS early
WHERE o.enrollment_id = %(enrollment)s AND {checked("o.status = 'pending'")}
"""

#: A task that nobody worked on yet has no row.
TASK_ENDED: Final = "UPDATE tasks SET ended_at = sequence_now(), ended_by = %(by)s WHERE outbox_id = %(row)s"

BY_HAND: Final = "skipped by an operator"
DECIDED: Final = "decided by an operator, who skipped ahead"
MAY_HAVE_GONE: Final = "skipped by an operator; an earlier try may have been accepted"

UNDER_WAY: Final = "SELECT count(*) FROM outbox WHERE enrollment_id = %s AND status = 'sending'"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an enrollment, as it stands."""

    id: int
    step_order: int
    step_key: str
    status: str
    fence: int
    in_doubt: bool
    """An email that may have been accepted, and is to be sent once more."""
    begun: bool
    """Of a step that has not ended: whether its time has come."""


def steps_of(session: Session, enrollment_id: int) -> list[Step]:
    """The steps in order, which nobody begins before the transaction ends."""
    with session.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(STEPS, (enrollment_id,)).fetchall()


def cancel(session: Session, enrollment_id: int, reason: str) -> bool:
    """End an enrollment; False: it has ended already."""
    return leave_one(session, enrollment_id, reason)


def skip(
    session: Session,
    clock: SequenceClock,
    held: Held,
    program: Program,
    steps: Sequence[Step],
    branches: Mapping[int, str],
    by: str,
    because: str | None,
) -> list[Due]:
    """Give up steps that have not been handed over, and plan those behind them (engine/outbox/base.py).

    `branches` names the branch that a condition takes, by the order of the condition; the others take none. Return the
    wake-ups for after the COMMIT.
    """
    doubtful = [Resolution(step.id, step.fence, RowStatus.REVIEW, MAY_HAVE_GONE) for step in steps if step.in_doubt]
    resolve(session, clock, doubtful, by, because)
    rows = {step.order: step for step in advance.steps_of(session, held.id).values()}
    giving_up = [step for step in steps if not step.in_doubt]
    now = sequence_now(session).timestamp()
    for step in giving_up:
        branch = branches.get(step.step_order)
        end = (
            GateEnd(step.step_order, RowStatus.SKIPPED, BY_HAND, began=step.begun)
            if branch is None
            else GateEnd(step.step_order, RowStatus.DONE, DECIDED, branch, began=step.begun)
        )
        advance.end_row(session, rows[step.step_order], end, now)
        session.execute(TASK_ENDED, {"row": step.id, "by": by})
        note(session, held.workspace_id, by, [Change(held.id, step.status, end.status, because or end.reason, step.id)])
    _plan_behind(session, clock, held, program, giving_up, rows)
    return wakeups_of(session, [held.id])


def _plan_behind(
    session: Session,
    clock: SequenceClock,
    held: Held,
    program: Program,
    given_up: Sequence[Step],
    rows: Mapping[int, advance.Step],
) -> None:
    """Plan the steps behind those that were given up; `rows` is how all stood before."""
    now, its_time = clock.now(), time_of(session, held.id)
    timing = not_before(timing_of(session, held.id, program), its_time)
    for step in given_up:
        due_at = rows[step.step_order].standing.due_at
        if due_at is None or step.status != RowStatus.PENDING:
            continue
        place = program.places[step.step_order - 1]
        standings = {order: row.standing for order, row in advance.steps_of(session, held.id).items()}
        if not step.begun and not place.step.gate:
            close_up(session, held, program, standings, place, timing, before(session, held.id, step.step_order))
        elif step.begun and clock.lateness(due_at) > LATE:
            replan_behind(session, [Late(held.id, step.step_order, from_epoch(due_at), from_epoch(now))])
    if given_up:
        standings = {order: row.standing for order, row in advance.steps_of(session, held.id).items()}
        base = before(session, held.id, given_up[-1].step_order + 1)
        advance.go_on(session, held.id, planned(program, standings, base, timing))


def run_now(session: Session, enrollment_id: int, step: Step) -> list[Due]:
    """Let a step that is next, and has not begun, go now; those behind keep their distance to it."""
    session.execute(NOW, {"enrollment": enrollment_id, "row": step.id})
    return wakeups_of(session, [enrollment_id])


def under_way(session: Session, enrollment_id: int) -> int:
    """Steps that were handed over, or are about to be: they can't be called back."""
    row = session.execute(UNDER_WAY, (enrollment_id,)).fetchone()
    return int(row[0]) if row else 0
