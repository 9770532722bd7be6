"""Which sequences take new people: drafts are activated, others are closed and opened. Running enrollments go on."""

from dataclasses import dataclass
from typing import Final

from engine.database import Database, Session
from engine.errors import InvalidInput
from engine.outbox.barrier import wait_for_writers
from engine.outbox.history import note_scope
from engine.rules.intake import takes_nobody
from producers.operator import Operator
from producers.sequences import PublishedSequence, archived, find_sequence
from producers.workspaces import find_workspace
from schema.states import SequenceStatus

#: Real seconds to wait for transactions that may still enroll somebody.
PATIENCE: Final = 10.0

#: Each is one guarded change: no row means that it was so already.
ACTIVATE: Final = "UPDATE sequences SET status = 'active' WHERE id = %(id)s AND status = 'draft'"
CLOSE: Final = """
UPDATE sequences SET closed_at = sequence_now(), closed_by = %(by)s
WHERE id = %(id)s AND closed_at IS NULL AND status IN ('active', 'paused')
"""
OPEN: Final = "UPDATE sequences SET closed_at = NULL, closed_by = NULL WHERE id = %(id)s AND closed_at IS NOT NULL"

STANDING: Final = "SELECT key, status, closed_at IS NOT NULL FROM sequences WHERE id = %s"

#: How a sequence that takes nobody takes people again.
REMEDIES: Final = {
    SequenceStatus.DRAFT: "activate it first with `cadenza sequence activate {key}`",
    SequenceStatus.PAUSED: "resume it first with `cadenza resume --sequence {key}`",
    SequenceStatus.ACTIVE: "open it first with `cadenza sequence open {key}`",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a sequence."""

    changed: bool
    """False: it was so already."""
    status: str
    closed: bool
    finished: bool = True
    """False: a transaction that began before may still enroll somebody."""


def refusal(key: str, status: SequenceStatus, *, closed: bool) -> str | None:
    """Return why a sequence takes no enrollments and how to change that; None: it takes them."""
    if status == SequenceStatus.ARCHIVED:
        return archived(key, "takes no enrollments")
    why = takes_nobody(status, closed=closed)
    return why and f"sequence {key!r} {why}: it takes no enrollments; {REMEDIES[status].format(key=key)}"


def require_open(session: Session, sequence_id: int) -> None:
    """Make sure that a sequence has not been closed or archived meanwhile.

    Raises:
        InvalidInput: it has.
    """
    row = session.execute(STANDING, (sequence_id,)).fetchone()
    if row is not None and row[1] != SequenceStatus.PAUSED:
        why = refusal(row[0], SequenceStatus(row[1]), closed=row[2])
        if why is not None:
            raise InvalidInput(why)


def activate(database: Database, operator: Operator, key: str) -> Changed:
    """Let people into a draft.

    Raises:
        InvalidInput: the sequence is archived.
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        workspace_id, found = _find(session, operator.workspace, key)
        if found.status == SequenceStatus.ARCHIVED:
            raise InvalidInput(archived(key, "it can't be activated"))
        return _change(session, ACTIVATE, workspace_id, found, operator, "activated")


def close(database: Database, operator: Operator, key: str, *, patience: float = PATIENCE) -> Changed:
    """Close a sequence to new people. When this returns, nobody new gets in, and those who are in it go on.

    Raises:
        InvalidInput: the sequence is a draft or archived.
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        workspace_id, found = _find(session, operator.workspace, key)
        if found.status == SequenceStatus.ARCHIVED:
            raise InvalidInput(archived(key, "it takes nobody"))
        if found.status == SequenceStatus.DRAFT:
            raise InvalidInput(f"sequence {key!r} is a draft: it takes nobody, so there is nothing to close")
        done = _change(session, CLOSE, workspace_id, found, operator, "closed")
    finished = wait_for_writers(database, patience)
    return Changed(done.changed, done.status, done.closed, finished)


def reopen(database: Database, operator: Operator, key: str) -> Changed:
    """Let new people into a sequence that was closed.

    Raises:
        NotFound: there is no such sequence.
    """
    with database.transaction() as session:
        workspace_id, found = _find(session, operator.workspace, key)
        return _change(session, OPEN, workspace_id, found, operator, "opened")


def _change(
    session: Session, statement: str, workspace_id: int, found: PublishedSequence, operator: Operator, became: str
) -> Changed:
    changed = session.execute(statement, {"id": found.sequence_id, "by": operator.name}).rowcount == 1
    if changed:
        note_scope(session, workspace_id, found.sequence_id, operator.name, became, operator.reason)
    row = session.execute(STANDING, (found.sequence_id,)).fetchone()
    assert row is not None  # noqa: S101 (sequences are never deleted)
    return Changed(changed, row[1], row[2])


def _find(session: Session, workspace: str, key: str) -> tuple[int, PublishedSequence]:
    workspace_id = find_workspace(session, workspace).id
    return workspace_id, find_sequence(session, workspace_id, key)
