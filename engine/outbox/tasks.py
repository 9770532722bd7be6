"""Human tasks: the rows that people work on, beside the outbox rows of their steps."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.lookups import checked

INSERT: Final = """
INSERT INTO tasks AS t (workspace_id, enrollment_id, outbox_id, type, name, description, priority, assignee)
VALUES (%(workspace_id)b, %(enrollment_id)b, %(outbox_id)b, %(type)b, %(name)b, %(description)b, %(priority)b,
    %(assignee)b)
ON CONFLICT (outbox_id) WHERE outbox_id IS NOT NULL
"""

#: Somebody may have been given the task before it became active.
WRITE: Final = f"""
{INSERT} DO UPDATE SET description = excluded.description, assignee = coalesce(t.assignee, excluded.assignee)
"""
NOTE: Final = f"{INSERT} DO NOTHING"

#: The row is held by way of its enrollment.
OPEN: Final = f"""
UPDATE outbox SET status = 'open', reason = NULL, retry_at = NULL, fence = fence + 1
WHERE id = %(outbox_id)b AND {checked("status = 'pending'")}
"""


#: Of a task that was added by hand (`t`) and its enrollment (`e`): pending until it is due, and cancelled with the
#: enrollment.
STATE_BY_HAND: Final = """
    CASE WHEN t.closed IS NOT NULL THEN t.closed WHEN e.status = 'cancelled' THEN 'cancelled'
        WHEN t.due_at > (SELECT sequence_now()) THEN 'pending' ELSE 'active' END
"""

OF_ENROLLMENT: Final = f"""
SELECT t.id, t.outbox_id, t.type, t.name, t.description, t.priority, t.assignee, t.due_at, t.ended_at, t.ended_by,
    t.note, CASE WHEN t.outbox_id IS NULL THEN {STATE_BY_HAND} END AS state
FROM tasks t JOIN enrollments e ON e.id = t.enrollment_id WHERE t.enrollment_id = %(enrollment)s ORDER BY t.id
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A task of an enrollment, to be shown. Times are sequence time."""

    id: int
    outbox_id: int | None
    """Its step; None: added by hand."""
    type: str
    name: str
    description: str | None
    priority: str
    assignee: str | None
    due_at: datetime | None
    """Of one that was added by hand."""
    ended_at: datetime | None
    ended_by: str | None
    note: str | None
    state: str | None
    """Of one that was added by hand; the row of its step tells otherwise."""


def tasks_of(session: Session, enrollment_id: int) -> list[Told]:
    """Return the tasks of an enrollment that somebody had to do with, and those that were added by hand."""
    with session.cursor(row_factory=class_row(Told)) as cursor:
        return cursor.execute(OF_ENROLLMENT.encode(), {"enrollment": enrollment_id}).fetchall()


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task of a step."""

    workspace_id: int
    enrollment_id: int
    outbox_id: int
    type: str
    name: str
    description: str | None
    priority: str
    assignee: str | None


def open_task(session: Session, task: NewTask) -> None:
    """Make a task active whose row is `pending`, and whose enrollment this transaction holds."""
    if session.execute(OPEN, {"outbox_id": task.outbox_id}, binary=True).rowcount == 1:
        session.execute(WRITE, asdict(task), binary=True)


def note_task(session: Session, task: NewTask) -> None:
    """Write a task down unless it is already: somebody has to do with it before it is due."""
    session.execute(NOTE, asdict(task), binary=True)
