"""Goals, once more before a row goes out: whoever changed the contact may have told nobody."""

from collections.abc import Sequence

import structlog

from engine.database import GONE, Database, Session, first_line
from engine.outbox.claim import Claimed
from engine.outbox.goals import hold_and_end, reached
from workers.delivery.known import Known

log = structlog.get_logger(__name__)


class Goals:
    """Looks at the goals of claimed rows. Rows of sequences without one cost nothing."""

    def __init__(self, database: Database, known: Known) -> None:
        """Prepare to look."""
        self._database = database
        self._known = known

    def reached(self, session: Session, rows: Sequence[Claimed]) -> set[int]:
        """The enrollments of which nothing goes out any more, in the transaction that has claimed their rows."""
        asked = {row.enrollment_id for row in rows if self._has_goal(row)}
        return set(reached(session, sorted(asked))) if asked else set()

    def end(self, enrollments: set[int]) -> None:
        """End them, when the claim is over: those who end enrollments hold these before their rows."""
        try:
            with self._database.transaction() as session:
                hold_and_end(session, sorted(enrollments))
        except GONE as error:
            log.warning("goals are reached: their rows are looked at again", error=first_line(error))

    def _has_goal(self, row: Claimed) -> bool:
        try:
            return self._known.version(row.version_id).program.has_goal
        except (LookupError, ValueError):  # it can't be prepared either, which says why
            return False
