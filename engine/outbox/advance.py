"""Go on behind a gate that has ended: the steps of the next stretch get their times, or the enrollment is complete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from engine.database import Session
from engine.outbox import history
from engine.outbox.dispatch import FENCES, MESSAGES, RESTORED
from engine.outbox.history import note
from engine.outbox.lookups import checked
from engine.outbox.timing import timing_of
from engine.rules.planner import Change, Standing, advance
from engine.rules.program import Program
from engine.wakeups import Due
from schema.definition import Definition
from schema.states import BLOCKING, EnrollmentStatus, RowStatus, sql_list

#: Whoever ends a gate holds it first, and so does whoever ends the enrollment: of two at once the second sees what
#: the first has done.
HOLD: Final = """
SELECT id, workspace_id, sequence_id, version_id, contact_id, status, exit_reason
FROM enrollments WHERE id = %(enrollment)b FOR NO KEY UPDATE
"""

ROWS: Final = """
SELECT id, step_order, status, date_part('epoch', due_at), outcome, fence FROM outbox
WHERE enrollment_id = %(enrollment)b ORDER BY step_order
"""

#: A provider has told of an attempt of a row that waits: the database was restored from a backup made before it.
FORGOTTEN: Final = """
    (change.status = 'pending' AND EXISTS (
        SELECT FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'accepted' OFFSET 0
    ))
"""

#: A message that waited here already when the database was restored, and is due so soon behind its gate that it may
#: have gone out between the backup and the restore, if the gate had ended meanwhile.
PERHAPS: Final = f"""
    (change.status = 'pending' AND o.fence >= {FENCES} AND o.type IN ({MESSAGES})
        AND to_timestamp(change.due_at) < (SELECT sequence_now())
            + (SELECT lost_seconds FROM dispatch WHERE id) * interval '1 second')
"""

#: A row that is locked is being claimed, for a time that has come: it is waited for, and then left.
CHANGE: Final = f"""
UPDATE outbox o SET status = CASE WHEN {FORGOTTEN} OR {PERHAPS} THEN 'review' ELSE change.status END,
    reason = CASE WHEN {FORGOTTEN} THEN 'it is known to have been accepted: the database was restored from a backup'
        WHEN {PERHAPS} THEN %(restored)b ELSE change.reason END,
    fence = o.fence + 1, outcome = NULL, counts_from = NULL,
    due_at = CASE change.status WHEN 'skipped' THEN o.due_at ELSE to_timestamp(change.due_at) END
FROM unnest(%(orders)b::int[], %(was)b::text[], %(statuses)b::text[], %(due)b::float8[], %(reasons)b::text[])
    AS change (step_order, was, status, due_at, reason)
WHERE o.enrollment_id = %(enrollment)b AND o.step_order = change.step_order AND o.status = change.was
RETURNING o.id, o.status, date_part('epoch', o.due_at)
"""

#: Rows that a worker holds, or that are in doubt, complete it when they are settled.
COMPLETE: Final = f"""
UPDATE enrollments e SET status = 'completed', completed_at = (SELECT sequence_now())
WHERE e.id = %(enrollment)b AND {checked("e.status = 'active'")} AND NOT EXISTS (
    SELECT FROM outbox o WHERE o.enrollment_id = e.id AND o.status IN ({sql_list(*BLOCKING)}) OFFSET 0
)
"""

END: Final = f"""
UPDATE outbox SET status = %(status)b, reason = %(reason)b, outcome = %(outcome)b, fence = fence + 1,
    counts_from = to_timestamp(%(counts_from)b::float8)
WHERE id = %(row)b AND fence = %(fence)b AND {checked("status = ANY(%(was)b::text[])")}
"""

DEFINITION: Final = "SELECT definition FROM sequence_versions WHERE id = %s"


class Held(NamedTuple):
    """An enrollment that this transaction holds."""

    id: int
    workspace_id: int
    sequence_id: int
    version_id: int
    contact_id: int
    status: EnrollmentStatus
    exit_reason: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an enrollment that is held."""

    id: int
    order: int
    standing: Standing
    fence: int


@dataclass(frozen=True, slots=True)
class GateEnd:
    """How a gate ends."""

    order: int
    status: RowStatus
    reason: str | None = None
    outcome: str | None = None
    began: bool = True
    """False: its turn never came, so the steps behind count from the step before it."""


def hold(session: Session, enrollment_id: int) -> Held | None:
    """Hold an enrollment until the end of the transaction; None: there is none."""
    row = session.execute(HOLD, {"enrollment": enrollment_id}, binary=True).fetchone()
    if row is None:
        return None
    held = Held._make(row)
    return held._replace(status=EnrollmentStatus(held.status))


def program_of(session: Session, version_id: int) -> Program:
    """The program of a sequence version."""
    row = session.execute(DEFINITION, (version_id,)).fetchone()
    if row is None:
        raise LookupError(f"sequence version {version_id} is gone")
    return Program.of(Definition.restore(row[0]))


def steps_of(session: Session, enrollment_id: int) -> dict[int, Step]:
    """The steps of an enrollment that is held, by their order."""
    rows = session.execute(ROWS, {"enrollment": enrollment_id}, binary=True).fetchall()
    return {
        order: Step(row_id, order, Standing(RowStatus(status), due_at, outcome), fence)
        for row_id, order, status, due_at, outcome, fence in rows
    }


def end_row(session: Session, step: Step, end: GateEnd, now: float) -> bool:
    """End a row at `now`, and nothing else; False: another process ended it, or is handing it over."""
    cursor = session.execute(
        END,
        {
            "row": step.id,
            "fence": step.fence,
            "was": [RowStatus.PENDING.value, RowStatus.OPEN.value, RowStatus.WAITING.value],
            "status": end.status.value,
            "reason": end.reason,
            "outcome": end.outcome,
            "counts_from": now if end.began else None,
        },
        binary=True,
    )
    return cursor.rowcount == 1


def end_gate(
    session: Session,
    held: Held,
    program: Program,
    steps: Mapping[int, Step],
    end: GateEnd,
    now: float,
    *,
    noted_by: str | None = None,
) -> list[Due] | None:
    """End a gate of an enrollment that is held, and plan the steps behind it, which count from `now`.

    Return the wake-ups for after the COMMIT. None: another process ended it, or is handing it over. `noted_by`: who
    ended it, for the history; None: the caller notes it.
    """
    step = steps[end.order]
    if not end_row(session, step, end, now):
        return None
    if noted_by is not None:
        note(session, held.workspace_id, noted_by, [_noted(held, step, end)])
    standings = {order: step.standing for order, step in steps.items()}
    standings[end.order] = replace(step.standing, status=end.status, outcome=end.outcome)
    woken = _next_up(steps, standings)
    return [*woken, *go_on(session, held.id, advance(program, standings, now, timing_of(session, held.id, program)))]


def _noted(held: Held, step: Step, end: GateEnd) -> history.Change:
    """Return what the history says of a gate: what it saw, and what it came to."""
    came_to = None if end.outcome is None else f"came to {end.outcome}"
    reason = "; ".join(filter(None, [end.reason, came_to])) or None
    return history.Change(held.id, step.standing.status, end.status, reason, step.id)


def _next_up(steps: Mapping[int, Step], standings: Mapping[int, Standing]) -> list[Due]:
    """The wake-up of the step that is next, if it had its time already: its own may have come and gone."""
    for order, standing in standings.items():
        if not standing.has_ended:
            pending = standing.status is RowStatus.PENDING and standing.due_at is not None
            return [(standing.due_at, [steps[order].id])] if pending and standing.due_at is not None else []
    return []


def plan_on(session: Session, enrollment_id: int, now: float) -> list[Due]:
    """Go on behind a gate that was ended by somebody who knows nothing of gates."""
    held = hold(session, enrollment_id)
    if held is None:
        return []
    standings = {order: step.standing for order, step in steps_of(session, held.id).items()}
    program = program_of(session, held.version_id)
    return go_on(session, held.id, advance(program, standings, now, timing_of(session, held.id, program)))


def go_on(session: Session, enrollment_id: int, changes: Sequence[Change]) -> list[Due]:
    """Write the changes; complete the enrollment if nothing is left to do. Give the wake-ups for after the COMMIT."""
    rows = change(session, enrollment_id, changes) if changes else []
    session.execute(COMPLETE, {"enrollment": enrollment_id}, binary=True)
    return rows


def change(session: Session, enrollment_id: int, changes: Sequence[Change]) -> list[Due]:
    """Write what the planner has found."""
    rows = session.execute(
        CHANGE,
        {
            "enrollment": enrollment_id,
            "orders": [change.order for change in changes],
            "was": [change.was.value for change in changes],
            "statuses": [change.status.value for change in changes],
            "due": [change.due_at for change in changes],
            "reasons": [change.reason for change in changes],
            "restored": RESTORED,
        },
        binary=True,
    ).fetchall()
    return [(due_at, [row_id]) for row_id, status, due_at in rows if status == RowStatus.PENDING]
