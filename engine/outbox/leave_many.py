"""End enrollments of many contacts, by their ids: guarded as each of them is that ends alone."""

from collections.abc import Sequence
from typing import Final

from engine.database import Session
from engine.outbox.history import Change, note
from engine.outbox.leave import CANCEL
from schema.states import EnrollmentStatus

#: Enrollments that are ended in one transaction.
CHUNK: Final = 500

#: Ends nothing that has ended. One after the other, so that of two who end the same ones one waits for the other.
END: Final = """
WITH leaving AS MATERIALIZED (
    SELECT id, status FROM enrollments
    WHERE id = ANY(%(enrollments)b::bigint[]) AND status IN ('active', 'paused') ORDER BY id FOR UPDATE
)
UPDATE enrollments e SET status = 'cancelled', exit_reason = %(reason)b, cancelled_at = sequence_now(), paused_at = NULL
FROM leaving WHERE e.id = leaving.id
RETURNING e.id, leaving.status
"""


def leave_many(
    session: Session, workspace_id: int, enrollments: Sequence[int], reason: str, by: str, because: str | None = None
) -> list[int]:
    """End those of the enrollments that run, for the reason; give their ids. `because`: why, for the history."""
    rows = session.execute(END, {"enrollments": list(enrollments), "reason": reason}, binary=True).fetchall()
    ended = [enrollment_id for enrollment_id, _ in rows]
    if ended:
        session.execute(CANCEL, {"enrollments": ended, "reason": reason}, binary=True)
        told = "; ".join(filter(None, [reason, because]))
        note(session, workspace_id, by, [Change(one, was, EnrollmentStatus.CANCELLED, told) for one, was in rows])
    return ended
