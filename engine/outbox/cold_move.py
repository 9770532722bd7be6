"""Move the steps of enrollments that ended long ago into the archive, page by page, each in a transaction of its own.

A page moves whole enrollments: all their outbox rows and attempts, or nothing. It waits for no row that is locked: an
enrollment that another transaction holds stays until the next run.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from engine.database import Session
from engine.outbox.cold_months import detached_months, hold_months, make_month
from engine.outbox.lookups import look_up
from engine.outbox.retention import HAS_ENDED, Cutoff
from schema.states import RowStatus, sql_list

#: The statuses in which a row stays for ever.
FINAL: Final = (RowStatus.SENT, RowStatus.DONE, RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.CANCELLED)

COLUMNS: Final = (
    "id, workspace_id, enrollment_id, step_order, step_key, type, status, reason, due_at, retry_at, attempts, fence,"
    " lease_until, provider_id, error_code, sent_at, delivery_status, outcome, accepted_at, accepted_fence,"
    " accepted_detail, counts_from, rescheduled_at"
)
OF_ATTEMPTS: Final = (
    "outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds, started_at, ended_at, outcome,"
    " provider_id, error_code, detail, looks, looked_at"
)

#: A page of outbox rows in the order of their enrollments. An enrollment whose steps were moved has no rows there, so
#: a later run reads nothing of it.
PAGE: Final = """
SELECT enrollment_id FROM outbox WHERE enrollment_id > %(after)s AND enrollment_id < %(until)s
ORDER BY enrollment_id, step_order LIMIT %(limit)s
"""

#: Each statement of a step looks rows up by an index, whatever the statistics say.
BY_INDEX: Final = """
SELECT set_config(name, 'off', true)
FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin']) AS name
"""

#: Of the page's enrollments, those that may move: each with the month in which it ended, its rows and attempts.
RIPE: Final = f"""
SELECT e.id, e.sequence_id, date_trunc('month', coalesce(e.completed_at, e.cancelled_at), 'UTC')::date AS month,
    held.rows, held.attempts
FROM unnest(%(enrollments)s::bigint[]) AS given (id)
JOIN enrollments e ON {look_up("e.id", "given.id")}
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, sum(tried.attempts)::bigint AS attempts,
        bool_and(o.status IN ({sql_list(*FINAL)})) AS is_final, max(tried.last_attempt) AS last_attempt
    FROM outbox o CROSS JOIN LATERAL (
        SELECT count(*) AS attempts, max(a.started_at) AS last_attempt FROM attempt_records a
        WHERE {look_up("a.outbox_id", "o.id")}
    ) AS tried
    WHERE {look_up("o.enrollment_id", "e.id")}
) AS held
WHERE {HAS_ENDED} AND e.created_at < %(before)s AND held.is_final
    AND (held.last_attempt IS NULL OR held.last_attempt < %(before)s)
    AND date_trunc('month', coalesce(e.completed_at, e.cancelled_at), 'UTC')::date <> ALL(%(detached)s::date[])
ORDER BY e.id
"""

#: First enrollments and then rows, as everything that ends an enrollment does. No lock is waited for.
LOCK_ENROLLMENTS: Final = f"""
SELECT e.id FROM unnest(%(enrollments)s::bigint[]) AS given (id)
JOIN enrollments e ON {look_up("e.id", "given.id")} ORDER BY e.id FOR UPDATE OF e SKIP LOCKED
"""
LOCK_ROWS: Final = f"""
SELECT o.enrollment_id FROM unnest(%(enrollments)s::bigint[]) AS given (id)
JOIN outbox o ON {look_up("o.enrollment_id", "given.id")} ORDER BY o.id FOR UPDATE OF o SKIP LOCKED
"""

#: How an attempt ended is resolved as the view `attempts` does it.
MOVE: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%(enrollments)s::bigint[], %(sequences)s::bigint[], %(months)s::date[])
        AS given (id, sequence_id, month)
),
moved AS (
    DELETE FROM outbox o USING given WHERE {look_up("o.enrollment_id", "given.id")}
    RETURNING {", ".join(f"o.{name}" for name in COLUMNS.split(", "))}, given.month, given.sequence_id
),
tried AS (
    DELETE FROM attempt_records a USING moved WHERE {look_up("a.outbox_id", "moved.id")}
    RETURNING a.outbox_id, a.fence, a.workspace_id, a.channel, a.recipient, a.payload, a.lateness_seconds, a.started_at,
        CASE WHEN a.outcome IS NULL AND moved.accepted_fence = a.fence
            THEN coalesce(a.ended_at, moved.accepted_at) ELSE a.ended_at END AS ended_at,
        CASE WHEN a.outcome IS NULL AND moved.accepted_fence = a.fence THEN 'accepted' ELSE a.outcome END AS outcome,
        CASE WHEN a.outcome IS NULL AND moved.accepted_fence = a.fence
            THEN coalesce(a.provider_id, moved.provider_id) ELSE a.provider_id END AS provider_id,
        a.error_code,
        CASE WHEN a.outcome IS NULL AND moved.accepted_fence = a.fence
            THEN coalesce(a.detail, moved.accepted_detail) ELSE a.detail END AS detail,
        a.looks, a.looked_at, moved.month, moved.sequence_id, moved.type, moved.status
),
kept AS (INSERT INTO archived_outbox ({COLUMNS}, archived_month) SELECT {COLUMNS}, month FROM moved),
kept_attempts AS (
    INSERT INTO archived_attempts ({OF_ATTEMPTS}, archived_month) SELECT {OF_ATTEMPTS}, month FROM tried
),
marked AS (
    UPDATE enrollments e SET archived_month = given.month FROM given WHERE {look_up("e.id", "given.id")}
),
counted AS (
    SELECT month, workspace_id, sequence_id, type, status, sum(row)::bigint AS rows, sum(attempt)::bigint AS attempts
    FROM (
        SELECT month, workspace_id, sequence_id, type, status, 1 AS row, 0 AS attempt FROM moved
        UNION ALL SELECT month, workspace_id, sequence_id, type, status, 0, 1 FROM tried
    ) AS each_one
    GROUP BY 1, 2, 3, 4, 5
),
added AS (
    INSERT INTO archived_counts AS c (month, workspace_id, sequence_id, type, status, rows, attempts)
    SELECT * FROM counted ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (month, workspace_id, sequence_id, type, status)
    DO UPDATE SET rows = c.rows + excluded.rows, attempts = c.attempts + excluded.attempts
)
SELECT month, sum(rows)::bigint, sum(attempts)::bigint FROM counted GROUP BY month ORDER BY month
"""


class Ripe(NamedTuple):
    """An enrollment that may move."""

    enrollment: int
    sequence: int
    month: date
    """The month in which it ended."""
    rows: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What a page moved, and where the next one begins."""

    is_last: bool
    after: int
    """The last enrollment that it looked at."""
    months: dict[date, tuple[int, int]]
    """By the month in which enrollments ended: rows and attempts."""
    kept: int
    """Rows of the page that stay."""


def move_step(session: Session, cutoff: Cutoff, until: int, after: int, limit: int, *, dry_run: bool) -> Moved:
    """Move what has ended of the next `limit` outbox rows; with `dry_run`, count it.

    Call it in a transaction of its own. The rows of an enrollment stay together, so it may look at a few more rows.
    """
    session.execute(BY_INDEX)
    page = Counter(
        one for (one,) in session.execute(PAGE, {"after": after, "until": until, "limit": limit}, binary=True)
    )
    if not page:
        return Moved(is_last=True, after=after, months={}, kept=0)
    if dry_run:
        ripe = _ripe(session, cutoff, list(page))
        months = _by_month(ripe)
    else:
        hold_months(session)
        ripe = _all_rows_locked(session, _ripe(session, cutoff, _locked(session, list(page))))
        months = _move(session, ripe)
    kept = page.total() - sum(page[one.enrollment] for one in ripe)
    return Moved(is_last=page.total() < limit, after=max(page), months=months, kept=kept)


def _locked(session: Session, enrollments: list[int]) -> list[int]:
    return [one for (one,) in session.execute(LOCK_ENROLLMENTS, {"enrollments": enrollments})]


def _ripe(session: Session, cutoff: Cutoff, enrollments: list[int]) -> list[Ripe]:
    asked: dict[str, Any] = {
        "enrollments": enrollments,
        "before": cutoff.before,
        "ended_before": cutoff.ended_before,
        "detached": detached_months(session),
    }
    return [Ripe._make(row) for row in session.execute(RIPE, asked)]


def _all_rows_locked(session: Session, ripe: list[Ripe]) -> list[Ripe]:
    """Lock the rows, and return the enrollments of which no row is held by another transaction."""
    held = Counter(one for (one,) in session.execute(LOCK_ROWS, {"enrollments": [one.enrollment for one in ripe]}))
    return [one for one in ripe if held[one.enrollment] == one.rows]


def _move(session: Session, ripe: list[Ripe]) -> dict[date, tuple[int, int]]:
    if not ripe:
        return {}
    for month in sorted({one.month for one in ripe}):
        make_month(session, month)
    asked = {
        "enrollments": [one.enrollment for one in ripe],
        "sequences": [one.sequence for one in ripe],
        "months": [one.month for one in ripe],
    }
    return {month: (rows, tries) for month, rows, tries in session.execute(MOVE, asked)}


def _by_month(ripe: list[Ripe]) -> dict[date, tuple[int, int]]:
    found: dict[date, tuple[int, int]] = {}
    for one in ripe:
        rows, attempts = found.get(one.month, (0, 0))
        found[one.month] = (rows + one.rows, attempts + one.attempts)
    return found
