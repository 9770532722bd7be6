"""Read the book from the database, in one snapshot."""

from typing import Final

from psycopg.rows import class_row

from deploy.audit.book import Attempt, Book, Contact, Enrollment, Row
from deploy.audit.clock_history import ClockHistory
from engine.clock import Segment
from engine.database import Database, Session
from engine.outbox.hold import KEEPS

ROWS: Final = """
SELECT o.id, o.workspace_id, o.enrollment_id, o.step_order, o.step_key, o.type, o.status, o.reason,
    extract(epoch FROM o.due_at)::float8 AS due_at, o.provider_id, o.outcome,
    extract(epoch FROM t.reopened_at)::float8 AS reopened_at,
    o.status = 'pending' AND EXISTS (
        SELECT FROM enrollments e JOIN contact_holds h ON h.contact_id = e.contact_id AND h.channel = o.type
        WHERE e.id = o.enrollment_id
    ) AS on_hold
FROM (
    SELECT id, workspace_id, enrollment_id, step_order, step_key, type, status, reason, due_at, provider_id, outcome
    FROM outbox
    UNION ALL
    SELECT id, workspace_id, enrollment_id, step_order, step_key, type, status, reason, due_at, provider_id, outcome
    FROM archived_outbox
) AS o LEFT JOIN tasks t ON t.outbox_id = o.id
WHERE %(workspace)s::bigint IS NULL OR o.workspace_id = %(workspace)s
ORDER BY o.enrollment_id, o.step_order
"""

#: Those that an operator has paused with their sequence or workspace are paused too.
ENROLLMENTS: Final = f"""
SELECT e.id, e.workspace_id,
    CASE WHEN e.status = 'active' AND EXISTS (SELECT FROM holds h WHERE {KEEPS}) THEN 'paused' ELSE e.status END,
    extract(epoch FROM e.created_at)::float8,
    extract(epoch FROM coalesce(e.completed_at, e.cancelled_at))::float8,
    extract(epoch FROM e.migrated_at)::float8, extract(epoch FROM e.modified_at)::float8,
    c.workspace_id, c.email, c.phone, extract(epoch FROM c.updated_at)::float8
FROM enrollments e LEFT JOIN contacts c ON c.id = e.contact_id
WHERE %(workspace)s::bigint IS NULL OR e.workspace_id = %(workspace)s
"""  # noqa: S608

ATTEMPTS: Final = """
SELECT outbox_id AS row_id, fence, workspace_id, channel, recipient, payload,
    extract(epoch FROM started_at)::float8 AS started_at, extract(epoch FROM ended_at)::float8 AS ended_at,
    outcome, provider_id
FROM (
    SELECT outbox_id, fence, workspace_id, channel, recipient, payload, started_at, ended_at, outcome, provider_id
    FROM attempts
    UNION ALL
    SELECT outbox_id, fence, workspace_id, channel, recipient, payload, started_at, ended_at, outcome, provider_id
    FROM archived_attempts
) AS attempts
WHERE %(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s
ORDER BY outbox_id, fence
"""

#: A person who opted out is barred at the address that they have now. The earliest comes last.
SUPPRESSIONS: Final = """
SELECT workspace_id, channel, address, extract(epoch FROM created_at)::float8 AS at
FROM suppressions WHERE %(workspace)s::bigint IS NULL OR workspace_id = %(workspace)s
UNION ALL
SELECT c.workspace_id, gone.channel, CASE gone.channel WHEN 'sms' THEN c.phone ELSE c.email_key END,
    extract(epoch FROM greatest(gone.created_at, c.updated_at))::float8
FROM contact_opt_outs gone JOIN contacts c ON c.id = gone.contact_id
WHERE %(workspace)s::bigint IS NULL OR gone.workspace_id = %(workspace)s
ORDER BY at DESC
"""

CLOCK: Final = """
SELECT extract(epoch FROM real_from)::float8, extract(epoch FROM sequence_from)::float8, rate FROM clock ORDER BY id
"""


def read_book(database: Database, workspace_id: int | None = None) -> Book:
    """Read all of it, or what belongs to one workspace."""
    only = {"workspace": workspace_id}
    with database.transaction(snapshot=True) as session:
        with session.cursor(row_factory=class_row(Row)) as cursor:
            rows = cursor.execute(ROWS, only).fetchall()
        with session.cursor(row_factory=class_row(Attempt)) as cursor:
            attempts = cursor.execute(ATTEMPTS, only).fetchall()
        suppressions = session.execute(SUPPRESSIONS, only).fetchall()
        return Book(
            rows=rows,
            enrollments=_enrollments(session, only),
            attempts=attempts,
            suppressed_at={(workspace, channel, address): at for workspace, channel, address, at in suppressions},
            clock=ClockHistory([Segment(*segment) for segment in session.execute(CLOCK).fetchall()]),
            now=_sequence_now(session),
        )


def _enrollments(session: Session, only: dict[str, int | None]) -> dict[int, Enrollment]:
    found: dict[int, Enrollment] = {}
    for (
        enrollment_id,
        workspace_id,
        status,
        created_at,
        ended_at,
        migrated_at,
        modified_at,
        *contact,
    ) in session.execute(ENROLLMENTS, only):
        known = None if contact[0] is None else Contact(*contact)
        found[enrollment_id] = Enrollment(
            enrollment_id, workspace_id, status, created_at, ended_at, known, migrated_at, modified_at
        )
    return found


def _sequence_now(session: Session) -> float:
    row = session.execute("SELECT extract(epoch FROM sequence_now())::float8").fetchone()
    assert row is not None  # noqa: S101 (a SELECT without FROM has a row)
    now: float = row[0]
    return now
