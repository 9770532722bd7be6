"""Rows that need a person: what is known of each, and the person's decision."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from engine.clock import SequenceClock
from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox.resolve import Resolution, Resolved, resolve
from producers.resending import enrolled_anew, make_sure_it_goes_out
from schema.states import RowStatus

#: What to do about a row that can't be sent again.
MEND: Final = "decide `sent` or `skip`"

#: The evidence of each attempt is told with it; the message itself is on the attempt too.
WAITING: Final = """
SELECT o.id, w.key AS workspace, s.key AS sequence, o.enrollment_id, o.step_key, o.type, o.status, o.reason, o.due_at,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'started_at', a.started_at, 'ended_at', a.ended_at, 'outcome', a.outcome, 'recipient', a.recipient,
            'provider_id', a.provider_id, 'error_code', a.error_code, 'detail', a.detail, 'looks', a.looks,
            'looked_at', a.looked_at, 'payload', a.payload
        ) ORDER BY a.fence), '[]') FROM attempts a WHERE a.outbox_id = o.id
    ) AS attempts
FROM outbox o
JOIN enrollments e ON e.id = o.enrollment_id JOIN sequences s ON s.id = e.sequence_id
JOIN workspaces w ON w.id = o.workspace_id
WHERE o.status = ANY(%(statuses)s) AND (%(workspace)s::bigint IS NULL OR o.workspace_id = %(workspace)s)
ORDER BY o.id LIMIT %(limit)s
"""

COUNT: Final = """
SELECT count(*) FROM outbox
WHERE status = ANY(%(statuses)s) AND (%(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s)
"""

ROW: Final = "SELECT status, fence, enrollment_id FROM outbox WHERE id = %s AND workspace_id = %s FOR UPDATE"

#: What an operator sends again is due now, however long the decision took: it must not be skipped for being late, nor
#: move the steps behind, which went on at their time.
DUE_NOW: Final = "UPDATE outbox SET due_at = sequence_now() WHERE id = %s"


class Decision(StrEnum):
    """What a person decides of a row in review."""

    SENT = "sent"
    """It was accepted."""
    RESEND = "resend"
    """Send it (again): the risk of a duplicate is taken."""
    SKIP = "skip"
    """Leave it."""


#: A row in doubt may be decided too, by someone who knows better than to wait for the look-up.
DECIDABLE: Final = (RowStatus.REVIEW, RowStatus.UNKNOWN)

OUTCOME: Final = {
    Decision.SENT: (RowStatus.SENT, "an operator says that it was sent"),
    Decision.RESEND: (RowStatus.PENDING, "an operator had it sent again"),
    Decision.SKIP: (RowStatus.SKIPPED, "skipped by an operator"),
}


@dataclass(frozen=True, slots=True)
class Review:
    """A row that needs a decision, with all evidence."""

    id: int
    workspace: str
    sequence: str
    enrollment_id: int
    step_key: str
    type: str
    status: str
    reason: str | None
    due_at: datetime | None
    """Sequence time."""
    attempts: list[dict[str, Any]]


def reviews(
    session: Session, workspace_id: int | None, *, unknown: bool = False, limit: int | None = None
) -> list[Review]:
    """Rows in review; with `unknown` those in doubt too, which may still be resolved without anybody."""
    with session.cursor(row_factory=class_row(Review)) as cursor:
        cursor.execute(WAITING, {"statuses": _statuses(unknown), "workspace": workspace_id, "limit": limit})
        return cursor.fetchall()


def count_reviews(session: Session, workspace_id: int | None, *, unknown: bool = False) -> int:
    """How many there are."""
    row = session.execute(COUNT, {"statuses": _statuses(unknown), "workspace": workspace_id}).fetchone()
    return int(row[0]) if row else 0


def _statuses(unknown: bool) -> list[str]:
    return [status.value for status in DECIDABLE] if unknown else [RowStatus.REVIEW.value]


def decide(session: Session, clock: SequenceClock, workspace_id: int, row_id: int, decision: Decision) -> Resolved:
    """Write the decision down; the wake-ups are to be scheduled after the COMMIT.

    Raises:
        NotFound: the workspace has no such row.
        InvalidInput: the row needs no decision, or not this one.
        UnderWay: a later step is on its way.
    """
    row = session.execute(ROW, (row_id, workspace_id)).fetchone()
    if row is None:
        raise NotFound(
            f"no row {row_id} in this workspace: `cadenza review` lists those that need a decision, with theirs"
        )
    status, fence, enrollment_id = row
    if status not in DECIDABLE:
        raise InvalidInput(f"row {row_id} is {status}: it needs no decision")
    if decision is Decision.RESEND:
        make_sure_it_goes_out(session, row_id, enrollment_id, MEND)
        session.execute(DUE_NOW, (row_id,))
    new_status, reason = OUTCOME[decision]
    try:
        return resolve(session, clock, [Resolution(row_id, fence, new_status, reason)], "operator")
    except psycopg.errors.UniqueViolation:
        raise enrolled_anew(row_id, enrollment_id, MEND) from None
