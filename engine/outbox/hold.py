"""A hold: an operator has paused a sequence or a workspace. One row, looked at by every claim; no row of the outbox."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from engine.database import Session

#: Of a hold (`h`) and an enrollment (`e`): it keeps the enrollment, and has not been resumed as far as there.
KEEPS: Final = """
    h.workspace_id = e.workspace_id AND (h.sequence_id IS NULL OR h.sequence_id = e.sequence_id)
    AND (e.sequence_id, e.id) > (h.released_sequence, h.released_to)
"""

#: Of an enrollment (`e`): the moment at which its time began to stand still; null: it is not paused.
STILL_SINCE: Final = f"least(e.paused_at, (SELECT min(h.since) FROM holds h WHERE {KEEPS}))"

#: Of an enrollment (`e`): sequence time, which stands still while it is paused.
ITS_TIME: Final = f"least(sequence_now(), {STILL_SINCE})"

#: Nothing is asked about each row while nobody has paused anything.
NOT_HELD: Final = f"(NOT (SELECT EXISTS (SELECT FROM holds)) OR NOT EXISTS (SELECT FROM holds h WHERE {KEEPS}))"

#: All who pause and resume in a workspace do so one after the other: what one counts as paused no other counts again.
ONE_BY_ONE: Final = "SELECT FROM workspaces WHERE id = %s FOR NO KEY UPDATE"

HOLD: Final = """
INSERT INTO holds (workspace_id, sequence_id, since, made_by, reason)
VALUES (%(workspace)s, %(sequence)s, sequence_now(), %(by)s, %(reason)s) ON CONFLICT DO NOTHING RETURNING id
"""

HELD: Final = """
SELECT h.id, w.key AS workspace, s.key AS sequence, h.since, h.made_by, h.reason, h.keep_times
FROM holds h JOIN workspaces w ON w.id = h.workspace_id LEFT JOIN sequences s ON s.id = h.sequence_id
WHERE (%(workspace)s::bigint IS NULL OR h.workspace_id = %(workspace)s)
ORDER BY w.key, s.key NULLS FIRST, h.id
"""


#: Those that are being resumed come first.
OF_SCOPE: Final = """
SELECT id FROM holds
WHERE workspace_id = %(workspace)s AND sequence_id IS NOT DISTINCT FROM %(sequence)s ORDER BY id
"""


#: Of a workspace (`w`): a hold of all of it is in force, so nothing of it may go.
HELD_AS_A_WHOLE: Final = """
    EXISTS (SELECT FROM holds h WHERE h.workspace_id = w.id AND h.sequence_id IS NULL AND h.keep_times IS NULL)
"""


IS_HELD: Final = f"SELECT FROM enrollments e WHERE e.id = %s AND EXISTS (SELECT FROM holds h WHERE {KEEPS} OFFSET 0)"


@dataclass(frozen=True, slots=True)
class Held:
    """What an operator has paused."""

    id: int
    workspace: str
    sequence: str | None
    """None: the whole workspace."""
    since: datetime
    """Sequence time."""
    made_by: str
    reason: str | None
    keep_times: bool | None
    """How it is being resumed; None: it is in force."""


def one_by_one(session: Session, workspace_id: int) -> None:
    """Wait for whoever else pauses or resumes in the workspace, and keep others from it until the transaction ends."""
    session.execute(ONE_BY_ONE, (workspace_id,))


def hold(session: Session, workspace_id: int, sequence_id: int | None, by: str, reason: str | None) -> bool:
    """Let nothing of the sequence, or of the whole workspace, go out; False: it is held already."""
    one_by_one(session, workspace_id)
    scope = {"workspace": workspace_id, "sequence": sequence_id, "by": by, "reason": reason}
    return session.execute(HOLD, scope).fetchone() is not None


def is_held(session: Session, enrollment_id: int) -> bool:
    """Whether a hold keeps the enrollment, whatever its own status."""
    return session.execute(IS_HELD, (enrollment_id,)).fetchone() is not None


def holds_on(session: Session, workspace_id: int, sequence_id: int | None) -> list[int]:
    """The holds of a sequence, or of the whole workspace: one in force, and any whose resume was not finished."""
    scope = {"workspace": workspace_id, "sequence": sequence_id}
    return [hold_id for (hold_id,) in session.execute(OF_SCOPE, scope)]


def held(session: Session, workspace_id: int | None = None) -> list[Held]:
    """What is paused, in one workspace or in all."""
    with session.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(HELD, {"workspace": workspace_id}).fetchall()
