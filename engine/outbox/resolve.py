"""Resolve rows in doubt: by evidence, by a look-up, or by an operator. Never by a guess (promise P2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.clock import SequenceClock
from engine.database import Session
from engine.outbox.advance import plan_on
from engine.outbox.following import FOLLOWING, LATE, Settled, shift_behind
from engine.outbox.leave import cancel_returned
from engine.outbox.lookups import checked, look_up
from engine.wakeups import Due
from schema.states import BLOCKING, RowStatus, sql_list

#: Rows move only from the fence at which they were looked at.
RESOLVE: Final = f"""
WITH resolved AS MATERIALIZED (
    SELECT * FROM unnest(
        %(ids)b::bigint[], %(fences)b::int[], %(statuses)b::text[], %(reasons)b::text[], %(provider_ids)b::text[]
    ) AS resolved (id, fence, status, reason, provider_id)
),
settled AS (
    UPDATE outbox o SET status = resolved.status, reason = resolved.reason, fence = o.fence + 1, lease_until = NULL,
        retry_at = NULL, provider_id = coalesce(resolved.provider_id, o.provider_id),
        error_code = CASE resolved.status WHEN 'sent' THEN NULL ELSE o.error_code END,
        sent_at = CASE resolved.status WHEN 'sent' THEN (SELECT sequence_now()) END,
        counts_from = CASE WHEN resolved.status IN ({sql_list(*BLOCKING)}) THEN NULL WHEN resolved.status = 'sent'
            THEN o.counts_from ELSE coalesce(o.counts_from, (SELECT sequence_now())) END
    FROM resolved
    WHERE {look_up("o.id", "resolved.id")} AND o.fence = resolved.fence
        AND o.status NOT IN ('sent', 'done', 'waiting', 'open')
    RETURNING o.id, o.enrollment_id, o.step_order, o.status, o.due_at, o.retry_at, o.reason, o.workspace_id
),
noted AS (
    INSERT INTO history (sequence_at, workspace_id, enrollment_id, outbox_id, made_by, was, became, reason)
    SELECT (SELECT sequence_now()), settled.workspace_id, settled.enrollment_id, settled.id, %(by)b, before.status,
        settled.status, coalesce(%(because)b::text, settled.reason)
    FROM settled JOIN outbox before ON {look_up("before.id", "settled.id")}
),
{FOLLOWING}
"""

#: The steps behind the others have gone on, at their time.
HELD_UP: Final = f"SELECT id FROM outbox WHERE id = ANY(%(ids)b::bigint[]) AND status IN ({sql_list(*BLOCKING)})"

#: An enrollment that has ended only because nothing was left to do goes on when an operator has a row sent again.
REOPEN: Final = f"""
UPDATE enrollments SET status = 'active', completed_at = NULL
WHERE id = ANY(%(enrollments)b::bigint[]) AND {checked("status = 'completed'")}
"""

EVIDENCE: Final = """
UPDATE attempt_records a SET outcome = 'accepted', provider_id = coalesce(told.provider_id, %(provider_id)b),
    ended_at = coalesce(told.ended_at, clock_timestamp()), detail = %(detail)b
FROM attempts told
WHERE a.outbox_id = %(row)b AND a.fence = %(fence)b AND told.outbox_id = %(row)b AND told.fence = %(fence)b
"""

#: An attempt of which only its acceptance is known: the database was restored from a backup that was made before it.
FORGOTTEN: Final = f"""
INSERT INTO attempt_records
    (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, ended_at, outcome, provider_id,
    detail)
SELECT o.id, %(fence)b, o.workspace_id, o.type, coalesce(CASE o.type WHEN 'sms' THEN c.phone ELSE c.email END, ''),
    '{{}}', 0, clock_timestamp(), 'accepted', %(provider_id)b, %(detail)b
FROM outbox o JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")}
JOIN contacts c ON {look_up("c.id", "e.contact_id")}
WHERE o.id = %(row)b ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What becomes of a row that is in doubt."""

    id: int
    fence: int
    """Of the row as it was looked at."""
    status: RowStatus
    reason: str | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was resolved, and what follows."""

    ids: frozenset[int]
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""


def resolve(
    session: Session,
    clock: SequenceClock,
    resolutions: Sequence[Resolution],
    by: str = "engine",
    because: str | None = None,
) -> Resolved:
    """Write the resolutions; a row whose fence has moved on is left as it is.

    `by` and `because`: who, and why if not for the reason that the rows get, for the history.
    """
    held_up = {row_id for (row_id,) in session.execute(HELD_UP, {"ids": [one.id for one in resolutions]}, binary=True)}
    rows = session.execute(
        RESOLVE,
        {
            "ids": [resolution.id for resolution in resolutions],
            "fences": [resolution.fence for resolution in resolutions],
            "statuses": [resolution.status.value for resolution in resolutions],
            "reasons": [resolution.reason for resolution in resolutions],
            "provider_ids": [resolution.provider_id for resolution in resolutions],
            "by": by,
            "because": because,
        },
        binary=True,
    ).fetchall()
    settled = {row.id: row for row in (Settled(*row) for row in rows)}
    again = [settled[one.id] for one in resolutions if one.id in settled and one.status is RowStatus.PENDING]
    cancel_returned(session, [row.id for row in again])
    if again:
        session.execute(REOPEN, {"enrollments": [row.enrollment_id for row in again]}, binary=True)
    wakeups: list[Due] = [(row.due_at, [row.id]) for row in again]
    woken = {row.id for row in again}
    ended = [row for row in settled.values() if row.id not in woken and row.next_id is not None]
    wakeups += [(row.next_due_at, [row.next_id]) for row in ended if row.next_id and row.next_due_at is not None]
    now = clock.now()
    late = [(row, now - row.due_at) for row in ended if row.id in held_up and clock.lateness(row.due_at) > LATE]
    if late:
        wakeups += shift_behind(session, late)
    for enrollment_id in sorted({row.enrollment_id for row in ended if row.next_due_at is None}):
        wakeups += plan_on(session, enrollment_id, now)
    return Resolved(frozenset(settled), wakeups)


def note_acceptance(session: Session, row_id: int, fence: int, provider_id: str | None, how: str) -> bool:
    """Keep the evidence on the attempt that it is about; False: there is no such attempt."""
    cursor = session.execute(
        EVIDENCE, {"row": row_id, "fence": fence, "provider_id": provider_id, "detail": how}, binary=True
    )
    return cursor.rowcount == 1


def note_forgotten(session: Session, row_id: int, fence: int, provider_id: str, how: str) -> None:
    """Write down an attempt that the database has forgotten."""
    session.execute(FORGOTTEN, {"row": row_id, "fence": fence, "provider_id": provider_id, "detail": how}, binary=True)
