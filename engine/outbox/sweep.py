"""Find what is due and not moving, and rows whose lease has ended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from engine.database import Session
from engine.outbox.claim import MAY_GO
from engine.outbox.leave import cancel_returned
from engine.outbox.lookups import checked, look_up
from engine.wakeups import Due

#: What an attempt says whose worker did not settle it in time. The worker may still have the last word.
LOST: Final = "the worker was lost"

#: A row that was claimed and not handed over goes back; one whose hand-over had begun is in doubt (promise P2). A call
#: of a webhook is repeated: whoever receives it knows it by its key.
END_LEASES: Final = f"""
WITH over AS MATERIALIZED (
    SELECT o.id, a.fence IS NOT NULL AND NOT is_call AS begun, a.fence IS NOT NULL AND is_call AS again
    FROM outbox o LEFT JOIN attempt_records a ON {look_up("a.outbox_id", "o.id")} AND a.fence = o.fence
    CROSS JOIN LATERAL (SELECT o.type = 'action' AND coalesce(a.payload ? 'url', false)) AS kind (is_call)
    WHERE o.status = 'sending' AND o.lease_until < clock_timestamp()
    ORDER BY o.lease_until LIMIT %(limit)b FOR UPDATE OF o SKIP LOCKED
),
moved AS (
    UPDATE outbox o SET status = CASE WHEN over.begun THEN 'unknown' ELSE 'pending' END,
        reason = CASE WHEN over.begun THEN 'the worker was lost after the hand-over had begun' END,
        fence = o.fence + 1, lease_until = NULL
    FROM over WHERE {look_up("o.id", "over.id")}
    RETURNING o.id, o.status, o.due_at, o.fence, o.workspace_id, o.enrollment_id, o.reason, over.again
),
noted AS (
    INSERT INTO history (sequence_at, workspace_id, enrollment_id, outbox_id, made_by, was, became, reason)
    SELECT (SELECT sequence_now()), workspace_id, enrollment_id, id, 'sweeper', 'sending', status,
        coalesce(reason, CASE WHEN again THEN 'the worker was lost: the webhook is called again, with the same key'
            ELSE 'its lease ended before the hand-over' END)
    FROM moved
),
closed AS (
    UPDATE attempt_records a SET ended_at = clock_timestamp(), outcome = 'unanswered', detail = '{LOST}'
    FROM moved WHERE {look_up("a.outbox_id", "moved.id")} AND a.fence = moved.fence - 1 AND a.outcome IS NULL
)
SELECT id, status, date_part('epoch', due_at) FROM moved
"""

#: A workspace's rows that are due or will soon be, the longest due first, from one place on; retries by the end of
#: their back-off.
AWAITING: Final = f"""
SELECT o.id, o.due_at, o.retry_at
FROM outbox o
WHERE o.workspace_id = %(workspace)b AND o.status = 'pending' AND (o.due_at, o.id) > (%(after_due)b, %(after_id)b)
    AND o.due_at <= (SELECT sequence_now()) + %(horizon)b * %(rate)b * interval '1 second'
    AND (o.retry_at IS NULL OR o.retry_at <= clock_timestamp() + %(horizon)b * interval '1 second')
    AND {MAY_GO}
ORDER BY o.due_at, o.id LIMIT %(limit)b
"""

FIRST_STEPS: Final = f"""
SELECT date_part('epoch', due_at), array_agg(id) FROM outbox
WHERE enrollment_id = ANY(%(enrollments)b::bigint[]) AND {checked("status = 'pending'")} GROUP BY due_at
"""


@dataclass(frozen=True, slots=True)
class LeasesEnded:
    """Rows whose worker was lost."""

    returned: list[Due]
    """Not handed over yet: to be woken again, in sequence time."""
    in_doubt: int
    """Perhaps accepted: `unknown` now."""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A row that is due, or will soon be."""

    id: int
    due_at: datetime
    """Sequence time."""
    retry_at: datetime | None
    """Real time."""


def end_leases(session: Session, limit: int = 1_000) -> LeasesEnded:
    """Take rows from workers that did not settle them in time; the oldest leases first."""
    rows = session.execute(END_LEASES, {"limit": limit}, binary=True).fetchall()
    cancel_returned(session, [row_id for row_id, status, _ in rows if status == "pending"])
    returned: list[Due] = [(due_at, [row_id]) for row_id, status, due_at in rows if status == "pending"]
    return LeasesEnded(returned, len(rows) - len(returned))


def awaiting(
    session: Session, workspace_id: int, *, after: Awaiting | None, horizon: float, rate: float, limit: int
) -> list[Awaiting]:
    """A page of a workspace's rows that are due within `horizon` real seconds, behind the end of the last page."""
    rows = session.execute(
        AWAITING,
        {
            "workspace": workspace_id,
            "after_due": after.due_at if after else datetime.min.replace(tzinfo=UTC),
            "after_id": after.id if after else 0,
            "horizon": horizon,
            "rate": rate,
            "limit": limit,
        },
        binary=True,
    ).fetchall()
    return [Awaiting(*row) for row in rows]


def wakeups_of(session: Session, enrollments: list[int]) -> list[Due]:
    """The wake-ups of enrollments that were committed in a caller's own transaction."""
    return list(session.execute(FIRST_STEPS, {"enrollments": enrollments}, binary=True).fetchall())
