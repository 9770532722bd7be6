"""End enrollments of many contacts, by their ids: guarded as each of them is that ends alone."""

from collections.abc import Sequence
from typing import Final

from engine.database import Session
from engine.outbox.history import Change, note
from engine.outbox.leave import end
from engine.outbox.lookups import checked
from schema.states import EnrollmentStatus

#: Enrollments that are ended in one transaction.
CHUNK: Final = 500

#: Those that have not ended. One after the other, so that of two who end the same ones one waits for the other.
LEAVING: Final = f"""
SELECT id, status FROM enrollments
WHERE id = ANY(%(enrollments)b::bigint[]) AND {checked("status IN ('active', 'paused')")} ORDER BY id + 0 FOR UPDATE
"""


def leave_many(
    session: Session, workspace_id: int, enrollments: Sequence[int], reason: str, by: str, because: str | None = None
) -> list[int]:
    """End those of the enrollments that run, for the reason; give their ids. `because`: why, for the history."""
    rows = session.execute(LEAVING, {"enrollments": list(enrollments)}, binary=True).fetchall()
    ended = [enrollment_id for enrollment_id, _ in rows]
    if ended:
        end(session, ended, reason)
        told = "; ".join(filter(None, [reason, because]))
        note(session, workspace_id, by, [Change(one, was, EnrollmentStatus.CANCELLED, told) for one, was in rows])
    return ended
