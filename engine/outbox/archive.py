"""What archiving a sequence writes. While its enrollments are being ended a hold keeps all of them back."""

from dataclasses import dataclass
from typing import Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.hold import hold
from engine.outbox.leave_many import CHUNK, leave_many

#: The exit reason of those that run when their sequence is archived.
ARCHIVED: Final = "archived"

ARCHIVE: Final = """
UPDATE sequences SET status = 'archived', status_before = status, archived_at = sequence_now()
WHERE id = %s AND status <> 'archived'
"""

RESTORE: Final = """
UPDATE sequences SET status = status_before, status_before = NULL, archived_at = NULL
WHERE id = %s AND status = 'archived' RETURNING status
"""

#: A hold of somebody's pause would be let go by their resume.
RELEASE: Final = "DELETE FROM holds WHERE workspace_id = %s AND sequence_id = %s"

#: It is not brought back before the transaction ends.
STILL: Final = "SELECT FROM sequences WHERE id = %s AND status = 'archived' FOR SHARE"

NEXT: Final = """
SELECT id FROM enrollments WHERE sequence_id = %s AND status IN ('active', 'paused') ORDER BY id LIMIT %s
"""

RUNNING: Final = """
SELECT count(*) FILTER (WHERE e.status = 'active') AS active, count(*) FILTER (WHERE e.status = 'paused') AS paused,
    coalesce(sum(steps.tasks), 0)::bigint AS tasks, coalesce(sum(steps.under_way), 0)::bigint AS under_way
FROM enrollments e CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.status = 'open') AS tasks,
        count(*) FILTER (WHERE o.status = 'sending') AS under_way
    FROM outbox o WHERE o.enrollment_id = e.id
) AS steps
WHERE e.sequence_id = %s AND e.status IN ('active', 'paused')
"""

UNDER_WAY: Final = "SELECT count(*) FROM outbox WHERE enrollment_id = ANY(%s) AND status = 'sending'"


@dataclass(frozen=True, slots=True)
class Running:
    """What runs in a sequence."""

    active: int
    paused: int
    tasks: int
    """Open ones."""
    under_way: int
    """Steps that have been begun and can't be called back."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A chunk of what has run."""

    enrollments: int
    under_way: int


def running(session: Session, sequence_id: int) -> Running:
    """Count what runs in a sequence."""
    with session.cursor(row_factory=class_row(Running)) as cursor:
        found = cursor.execute(RUNNING, (sequence_id,)).fetchone()
    return found or Running(0, 0, 0, 0)


def archive(session: Session, workspace_id: int, sequence_id: int, by: str) -> bool:
    """Archive a sequence, and hold all that runs in it; False: it was archived already. Before it, `one_by_one`."""
    changed = session.execute(ARCHIVE, (sequence_id,)).rowcount == 1
    if changed:
        session.execute(RELEASE, (workspace_id, sequence_id))
    if changed or session.execute(NEXT, (sequence_id, 1)).fetchone() is not None:
        hold(session, workspace_id, sequence_id, by, ARCHIVED)
    return changed


def end_next(session: Session, workspace_id: int, sequence_id: int, by: str) -> Ended | None:
    """End the next that run in an archived sequence; None: none does, or it is not archived any more."""
    if session.execute(STILL, (sequence_id,)).fetchone() is None:
        return None
    ids = [enrollment_id for (enrollment_id,) in session.execute(NEXT, (sequence_id, CHUNK))]
    if not ids:
        return None
    ended = leave_many(session, workspace_id, ids, ARCHIVED, by)
    row = session.execute(UNDER_WAY, (ended,)).fetchone()
    return Ended(len(ended), int(row[0]) if row else 0)


def let_go(session: Session, workspace_id: int, sequence_id: int) -> None:
    """Hold nothing of an archived sequence any more: nothing is left of it. Before it, `one_by_one`."""
    if session.execute(STILL, (sequence_id,)).fetchone() is not None:
        session.execute(RELEASE, (workspace_id, sequence_id))


def restore(session: Session, workspace_id: int, sequence_id: int, by: str, reason: str | None) -> str | None:
    """Bring an archived sequence back to what it was; give its status. None: it is not archived."""
    row = session.execute(RESTORE, (sequence_id,)).fetchone()
    if row is None:
        return None
    session.execute(RELEASE, (workspace_id, sequence_id))
    if row[0] == "paused":
        hold(session, workspace_id, sequence_id, by, reason)
    return str(row[0])
