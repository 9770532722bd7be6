"""Human tasks: the rows that people work on, beside the outbox rows of their steps."""

from dataclasses import asdict, dataclass
from typing import Final

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
