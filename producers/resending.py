"""What must hold before an operator has a message sent again."""

from typing import Final

from engine.database import Session
from engine.errors import InvalidInput, UnderWay
from producers.sequences import require_not_archived
from schema.states import EnrollmentStatus

#: Locked, so that it is not completed, and leaves nobody early, before this has ended.
ENROLLMENT: Final = "SELECT status, exit_reason, sequence_id FROM enrollments WHERE id = %s FOR UPDATE"

#: Whoever is beginning a later step is waited for, and nobody begins one until this has ended.
KEEP_FROM_BEGINNING: Final = """
SELECT FROM outbox WHERE enrollment_id = %s AND coalesce(status = 'pending', false) ORDER BY id + 0 FOR UPDATE
"""

UNDER_WAY: Final = "SELECT FROM outbox WHERE enrollment_id = %s AND status = 'sending' LIMIT 1"


def make_sure_it_goes_out(session: Session, row_id: int, enrollment_id: int, mend: str) -> None:
    """Make sure that nothing keeps a row that is sent again, and hold its enrollment until the transaction ends.

    `mend`: what to do instead.

    Raises:
        InvalidInput: its enrollment has ended early, or its sequence is archived.
        UnderWay: a later step is on its way.
    """
    ((status, exit_reason, sequence_id),) = session.execute(ENROLLMENT, (enrollment_id,)).fetchall()
    if status == EnrollmentStatus.CANCELLED:
        raise InvalidInput(
            f"row {row_id} can't be sent again: its enrollment {enrollment_id} has ended early ({exit_reason}); {mend}"
        )
    require_not_archived(session, sequence_id)
    session.execute(KEEP_FROM_BEGINNING, (enrollment_id,))
    if session.execute(UNDER_WAY, (enrollment_id,)).fetchone() is not None:
        raise UnderWay(f"row {row_id}: a later step of its enrollment is on its way at this moment; try again")


def enrolled_anew(row_id: int, enrollment_id: int, mend: str) -> InvalidInput:
    """Return the error of a row whose completed enrollment can't go on, since a newer one of the contact runs."""
    return InvalidInput(
        f"row {row_id} can't be sent again: its enrollment {enrollment_id} has ended, and the contact has been"
        f" enrolled anew; {mend}"
    )
