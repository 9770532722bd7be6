"""Find what is due and not moving, and rows whose lease has ended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from engine.database import Session
from engine.outbox.contact_holds import NOT_ON_HOLD
from engine.outbox.hold import HELD_AS_A_WHOLE, NOT_HELD
from engine.outbox.leave import cancel_returned
from engine.outbox.lookups import checked, look_up
from engine.outbox.pause import IN_FORCE
from engine.wakeups import Due
from schema.states import BLOCKING, sql_list

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

#: The workspaces of which something falls due by a moment, unless an operator has paused all of it.
DUE_WORKSPACES: Final = f"""
SELECT w.id
FROM workspaces w CROSS JOIN LATERAL (
    SELECT o.id FROM outbox o WHERE o.workspace_id = w.id AND o.status = 'pending' AND o.due_at <= %(until)b
    ORDER BY o.due_at LIMIT 1
) AS first
WHERE NOT {HELD_AS_A_WHOLE}
ORDER BY w.id
"""

#: A page of a workspace's pending rows in the order of their due times, and whether each may go. It reads as many rows
#: as it returns, by the index: each LIMIT keeps the planner from turning a look-up for each row into a join of all, and
#: OFFSET 0 keeps it from walking the index of running enrollments, which old statistics take for empty.
DUE_PAGE: Final = f"""
WITH page AS MATERIALIZED (
    SELECT o.id, o.due_at, o.retry_at, o.enrollment_id, o.step_order, o.type
    FROM outbox o
    WHERE o.workspace_id = %(workspace)b AND o.status = 'pending'
        AND (o.due_at, o.id) > (%(after_due)b, %(after_id)b) AND o.due_at <= %(until)b
    ORDER BY o.due_at, o.id LIMIT %(limit)b
),
paused AS MATERIALIZED (
    SELECT p.channel, p.outbox_id FROM pauses p WHERE p.workspace_id = %(workspace)b AND {IN_FORCE}
)
SELECT o.id, o.due_at, o.retry_at,
    running.id IS NOT NULL AND blocking.id IS NULL
        AND NOT EXISTS (SELECT FROM paused WHERE paused.channel = o.type AND paused.outbox_id <> o.id) AS may_go
FROM page o
LEFT JOIN LATERAL (
    SELECT e.id
    FROM (SELECT * FROM enrollments WHERE id = o.enrollment_id OFFSET 0) AS e
    WHERE e.status = 'active' AND {NOT_HELD} AND {NOT_ON_HOLD} LIMIT 1
) AS running ON true
LEFT JOIN LATERAL (
    SELECT before.id FROM outbox before
    WHERE before.enrollment_id = o.enrollment_id AND before.step_order < o.step_order
        AND before.status IN ({sql_list(*BLOCKING)})
    LIMIT 1
) AS blocking ON true
ORDER BY o.due_at, o.id
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


class Place(NamedTuple):
    """A place among a workspace's rows in the order of their due times: behind this row."""

    due_at: datetime
    """Sequence time."""
    id: int


#: Before all rows.
BEGINNING: Final = Place(datetime.min.replace(tzinfo=UTC), 0)


class DueRow(NamedTuple):
    """A pending row."""

    id: int
    due_at: datetime
    """Sequence time."""
    retry_at: datetime | None
    """Real time."""
    may_go: bool
    """Nothing but time keeps it."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.due_at, self.id)


def end_leases(session: Session, limit: int = 1_000) -> LeasesEnded:
    """Take rows from workers that did not settle them in time; the oldest leases first."""
    rows = session.execute(END_LEASES, {"limit": limit}, binary=True).fetchall()
    cancel_returned(session, [row_id for row_id, status, _ in rows if status == "pending"])
    returned: list[Due] = [(due_at, [row_id]) for row_id, status, due_at in rows if status == "pending"]
    return LeasesEnded(returned, len(rows) - len(returned))


def due_workspaces(session: Session, until: datetime) -> list[int]:
    """Return the workspaces that have rows which fall due by then, but for those that are paused as a whole."""
    return [workspace_id for (workspace_id,) in session.execute(DUE_WORKSPACES, {"until": until}, binary=True)]


def due_page(session: Session, workspace_id: int, after: Place, until: datetime, limit: int) -> list[DueRow]:
    """Return a workspace's next pending rows behind a place that fall due by a moment, the longest due first."""
    rows = session.execute(
        DUE_PAGE,
        {"workspace": workspace_id, "after_due": after.due_at, "after_id": after.id, "until": until, "limit": limit},
        binary=True,
    ).fetchall()
    return [DueRow._make(row) for row in rows]


def wakeups_of(session: Session, enrollments: list[int]) -> list[Due]:
    """The wake-ups of enrollments that were committed in a caller's own transaction."""
    return list(session.execute(FIRST_STEPS, {"enrollments": enrollments}, binary=True).fetchall())
