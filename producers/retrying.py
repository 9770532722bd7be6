"""Send failed messages again, as an operator asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import psycopg

from engine.clock import SequenceClock
from engine.database import Database, Session
from engine.errors import InvalidInput, NotFound, UnderWay
from engine.outbox.failed import Failed, failed_in, failed_row, make_due
from engine.outbox.resolve import Resolution, resolve
from engine.wakeups import Due, Wakeups
from producers.operator import Operator
from producers.resending import enrolled_anew, make_sure_it_goes_out
from producers.sequences import find_sequence
from producers.waking import wake
from producers.workspaces import find_workspace
from schema.states import EnrollmentStatus, RowStatus

AGAIN: Final = "an operator had it tried again"
MEND: Final = "enroll the contact again"

STATUS: Final = "SELECT status, type FROM outbox WHERE id = %s AND workspace_id = %s"

#: What to do about a row that has not failed, by its status.
NOT_FAILED: Final = {
    RowStatus.PENDING: "it waits for its time: `cadenza run-now` lets it go",
    RowStatus.WAITING: "its turn has not come",
    RowStatus.OPEN: "somebody has to do it: `cadenza complete`",
    RowStatus.SENDING: "it is on its way",
    RowStatus.UNKNOWN: "it may have been accepted: see `cadenza review --unknown`",
    RowStatus.REVIEW: "it may have been accepted: decide it with `cadenza review {row} resend`",
    RowStatus.SENT: "it went out",
    RowStatus.DONE: "it was done",
    RowStatus.SKIPPED: "only failed messages can be tried again",
    RowStatus.CANCELLED: "its enrollment has ended",
}


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """Failed messages, and which of them can be sent again."""

    rows: list[Failed]
    left_alone: list[tuple[Failed, str]] = field(default_factory=list)
    """With the reason."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of a plan."""

    rows: list[int]
    left_alone: dict[int, str]
    """By row: what kept it when its turn came."""
    woken: bool = True


def plan_row(database: Database, workspace: str, row_id: int) -> RetryPlan:
    """Return the plan for one row.

    Raises:
        NotFound: the workspace has no such row.
        InvalidInput: the row has not failed.
    """
    with database.transaction() as session:
        workspace_id = find_workspace(session, workspace).id
        row = failed_row(session, workspace_id, row_id)
        if row is None:
            raise _not_failed(session, workspace_id, row_id)
        return _plan([row])


def plan_sequence(
    database: Database, workspace: str, sequence: str, since: datetime | None = None, code: str | None = None
) -> RetryPlan:
    """Return the plan for the failed messages of a sequence; `since`: sequence time; `code`: the provider's error code.

    Raises:
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        session.execute("SET TRANSACTION READ ONLY")
        found = find_sequence(session, find_workspace(session, workspace).id, sequence)
        return _plan(failed_in(session, found.sequence_id, since, code))


def run_retry(
    database: Database,
    wakeups: Wakeups,
    operator: Operator,
    plan: RetryPlan,
    progress: Callable[[int], None] = lambda done: None,
) -> Retried:
    """Send the rows of a plan again, each in its own transaction; a row that has changed since is left alone."""
    clock = SequenceClock(database)
    done = Retried([], {})
    due: list[Due] = []
    for row in plan.rows:
        try:
            with database.transaction() as session:
                due += _retry(session, clock, operator, row)
            done.rows.append(row.id)
        except (InvalidInput, UnderWay) as error:
            done.left_alone[row.id] = str(error)
        progress(1)
    return Retried(done.rows, done.left_alone, wake(wakeups, due))


def _retry(session: Session, clock: SequenceClock, operator: Operator, row: Failed) -> list[Due]:
    make_sure_it_goes_out(session, row.id, row.enrollment_id, MEND)
    due = make_due(session, row)
    resolution = Resolution(row.id, row.fence, RowStatus.PENDING, AGAIN)
    try:
        resolved = resolve(session, clock, [resolution], operator.name, operator.reason or AGAIN)
    except psycopg.errors.UniqueViolation:
        raise enrolled_anew(row.id, row.enrollment_id, MEND) from None
    if row.id not in resolved.ids:
        raise InvalidInput(f"row {row.id} has changed meanwhile")
    return [*due, *resolved.wakeups]


def _plan(rows: Sequence[Failed]) -> RetryPlan:
    ended = [row for row in rows if row.enrollment_status == EnrollmentStatus.CANCELLED]
    return RetryPlan(
        [row for row in rows if row.enrollment_status != EnrollmentStatus.CANCELLED],
        [(row, f"its enrollment has ended early ({row.exit_reason})") for row in ended],
    )


def _not_failed(session: Session, workspace_id: int, row_id: int) -> InvalidInput | NotFound:
    found = session.execute(STATUS, (row_id, workspace_id)).fetchone()
    if found is None:
        return NotFound(f"no row {row_id} in this workspace: `cadenza explain ENROLLMENT` names the rows")
    status = RowStatus(found[0])
    return InvalidInput(f"row {row_id} is {status.value}: {NOT_FAILED[status].format(row=row_id)}")
