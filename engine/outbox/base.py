"""The moment from which a step counts: when the steps before it ended, or the enrollment began. Sequence time.

One rule for every command: the steps behind count from the moment a step ended, however it ended; behind a step that
never began, they count from when the step before it ended. A step begins when its time has come.
"""

from typing import Final

from engine.database import Session
from engine.outbox.hold import ITS_TIME

#: Of a row (`o`): when it ended. Null: it has not ended, or never began.
BASE: Final = "coalesce(o.counts_from, o.sent_at)"

#: Of an enrollment (`e`): when its first step began to wait.
STARTED: Final = "coalesce(e.counts_from, e.enrolled_at)"

#: Of a row (`o`) that has not ended, of an enrollment (`e`): whether it has begun.
BEGUN: Final = f"(o.status = 'open' OR o.outcome = 'undecided' OR coalesce(o.due_at <= {ITS_TIME}, false))"

BEFORE: Final = f"""
SELECT date_part('epoch', greatest({STARTED}, (
    SELECT max(CASE WHEN o.status = 'pending' THEN o.due_at ELSE {BASE} END) FROM outbox o
    WHERE o.enrollment_id = e.id AND o.step_order < %(order)s
)))
FROM enrollments e WHERE e.id = %(enrollment)s
"""

TIME: Final = f"SELECT date_part('epoch', {ITS_TIME}) FROM enrollments e WHERE e.id = %(enrollment)s"


def before(session: Session, enrollment_id: int, order: int) -> float:
    """Return when the steps before a step ended, or will end, in epoch seconds of sequence time."""
    return _read(session, BEFORE, enrollment_id, order)


def time_of(session: Session, enrollment_id: int) -> float:
    """Return the time of an enrollment in epoch seconds of sequence time; it stands still while it is paused."""
    return _read(session, TIME, enrollment_id, 0)


def _read(session: Session, query: str, enrollment_id: int, order: int) -> float:
    row = session.execute(query.encode(), {"enrollment": enrollment_id, "order": order}).fetchone()
    if row is None:
        raise LookupError(f"enrollment {enrollment_id} is gone")
    return float(row[0])
