"""Everything that is known of one enrollment, read by indexes alone."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.base import BASE, STARTED
from engine.outbox.hold import KEEPS
from engine.outbox.naming import SEQUENCE_NAME
from engine.outbox.pause import IN_FORCE
from engine.outbox.suppressing import barred

ABOUT: Final = f"""
SELECT e.id, e.status, e.exit_reason, e.enrolled_at, e.paused_at, e.completed_at, e.cancelled_at, e.created_at,
    e.migrated_at, e.modified_at, e.own_delays, e.archived_month,
    s.key AS sequence, {SEQUENCE_NAME} AS sequence_name, v.number AS version, v.definition, e.version_id,
    c.id AS contact_id, c.external_id, c.email, c.phone, c.first_name, c.last_name,
    c.attributes ->> 'company' AS company,
    coalesce(c.timezone, w.timezone) AS timezone,
    sequence_now() AS now, clock_timestamp() AS real_now,
    coalesce((SELECT open_until > clock_timestamp() FROM dispatch), false) AS is_open
FROM enrollments e JOIN sequences s ON s.id = e.sequence_id JOIN sequence_versions v ON v.id = e.version_id
JOIN contacts c ON c.id = e.contact_id JOIN workspaces w ON w.id = e.workspace_id
WHERE e.id = %(enrollment)s AND e.workspace_id = %(workspace)s
"""

STEPS: Final = f"""
SELECT o.id, o.step_order, o.step_key, o.type, o.status, o.reason, o.due_at, o.retry_at, o.attempts AS tries,
    o.provider_id, o.error_code, o.sent_at, o.delivery_status,
    CASE WHEN o.status = 'done' THEN o.counts_from END AS ended_at, o.outcome,
    CASE WHEN o.status = 'pending' THEN {barred("o")} END AS suppressed,
    o.status = 'pending' AND EXISTS (
        SELECT FROM contact_holds doubt WHERE doubt.contact_id = c.id AND doubt.channel = o.type
    ) AS on_hold,
    CASE WHEN o.status = 'pending' THEN (
        SELECT coalesce(p.detail, p.error_code, 'its provider refuses') FROM pauses p
        WHERE p.workspace_id = o.workspace_id AND p.channel = o.type AND p.outbox_id <> o.id AND {IN_FORCE}
    ) END AS channel_pauses,
    ARRAY[
        greatest({STARTED}, max(o.due_at) OVER before),
        greatest({STARTED}, max(CASE WHEN o.status = 'pending' THEN o.due_at ELSE {BASE} END) OVER before)
    ] AS counts_from,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'started_at', a.started_at, 'ended_at', a.ended_at, 'lateness_seconds', a.lateness_seconds,
            'outcome', a.outcome, 'error_code', a.error_code, 'detail', a.detail, 'provider_id', a.provider_id,
            'looks', a.looks, 'looked_at', a.looked_at, 'recipient', a.recipient,
            'content', CASE WHEN %(content)s THEN a.payload END
        ) ORDER BY a.fence), '[]') FROM attempts a WHERE a.outbox_id = o.id
    ) AS attempts
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN contacts c ON c.id = e.contact_id
WHERE o.enrollment_id = %(enrollment)s
WINDOW before AS (ORDER BY o.step_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
ORDER BY o.step_order
"""

#: The same of archived steps, which have all ended. The month leads to one partition.
ARCHIVED_STEPS: Final = f"""
SELECT o.id, o.step_order, o.step_key, o.type, o.status, o.reason, o.due_at, o.retry_at, o.attempts AS tries,
    o.provider_id, o.error_code, o.sent_at, o.delivery_status,
    CASE WHEN o.status = 'done' THEN o.counts_from END AS ended_at, o.outcome, NULL AS suppressed, false AS on_hold,
    NULL AS channel_pauses,
    ARRAY[
        greatest({STARTED}, max(o.due_at) OVER before), greatest({STARTED}, max({BASE}) OVER before)
    ] AS counts_from,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'started_at', a.started_at, 'ended_at', a.ended_at, 'lateness_seconds', a.lateness_seconds,
            'outcome', a.outcome, 'error_code', a.error_code, 'detail', a.detail, 'provider_id', a.provider_id,
            'looks', a.looks, 'looked_at', a.looked_at, 'recipient', a.recipient,
            'content', CASE WHEN %(content)s THEN a.payload END
        ) ORDER BY a.fence), '[]') FROM archived_attempts a
        WHERE a.outbox_id = o.id AND a.archived_month = %(month)s::date
    ) AS attempts
FROM archived_outbox o JOIN enrollments e ON e.id = o.enrollment_id
WHERE o.enrollment_id = %(enrollment)s AND o.archived_month = %(month)s::date
WINDOW before AS (ORDER BY o.step_order ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
ORDER BY o.step_order
"""

HOLDS: Final = f"""
SELECT CASE WHEN h.sequence_id IS NULL THEN 'workspace' ELSE 'sequence' END, h.since, h.made_by
FROM enrollments e JOIN holds h ON {KEEPS} WHERE e.id = %(enrollment)s ORDER BY h.id
"""

#: What came in of the contact since the enrollment began: replies with their text, and events.
HEARD: Final = """
SELECT ev.occurred_at, ev.kind, ev.status, coalesce(ev.payload ->> 'Body', ev.payload ->> 'name', ev.payload ->> 'link')
FROM enrollments e JOIN events ev ON ev.workspace_id = e.workspace_id AND ev.contact_id = e.contact_id
WHERE e.id = %(enrollment)s AND ev.kind IN ('inbound', 'signal') AND ev.occurred_at >= e.enrolled_at
    AND ev.occurred_at <= coalesce(e.completed_at, e.cancelled_at, 'infinity')
ORDER BY ev.id LIMIT 100
"""

PAUSED_BY: Final = """
SELECT made_by FROM history WHERE enrollment_id = %(enrollment)s AND outbox_id IS NULL AND became = 'paused'
ORDER BY at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class About:
    """An enrollment, and what it belongs to."""

    id: int
    status: str
    exit_reason: str | None
    enrolled_at: datetime
    paused_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    created_at: datetime
    migrated_at: datetime | None
    modified_at: datetime | None
    own_delays: dict[str, str] | None
    archived_month: date | None
    """The month of the archive that has its steps; None: the outbox has them."""
    sequence: str
    sequence_name: str
    version: int
    version_id: int
    definition: dict[str, Any]
    contact_id: int
    external_id: str | None
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    timezone: str
    now: datetime
    real_now: datetime
    is_open: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it stands, with its attempts."""

    id: int
    step_order: int
    step_key: str
    type: str
    status: str
    reason: str | None
    due_at: datetime | None
    retry_at: datetime | None
    tries: int
    provider_id: str | None
    error_code: str | None
    sent_at: datetime | None
    delivery_status: str | None
    ended_at: datetime | None
    """When a wait was met, a task was completed or a condition was decided; a pause moves it. Sequence time."""
    outcome: str | None
    suppressed: str | None
    on_hold: bool
    """An operator has to decide whether a message of the contact is an opt-out."""
    channel_pauses: str | None
    counts_from: list[datetime]
    """When the step before it was due, and when it ended: one of them is what its time counts from. Sequence time."""
    attempts: list[dict[str, Any]]


def about(session: Session, workspace_id: int, enrollment_id: int) -> About | None:
    """The enrollment; None: the workspace has none of that id."""
    with session.cursor(row_factory=class_row(About)) as cursor:
        return cursor.execute(ABOUT, {"workspace": workspace_id, "enrollment": enrollment_id}).fetchone()


def steps(session: Session, enrollment_id: int, month: date | None = None, *, content: bool = False) -> list[Step]:
    """Return its steps in order; `month`: they are in the archive of that month; `content`: with what was sent."""
    asked = {"enrollment": enrollment_id, "month": month, "content": content}
    with session.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(STEPS if month is None else ARCHIVED_STEPS, asked).fetchall()


def holds_of(session: Session, enrollment_id: int) -> list[tuple[str, datetime, str]]:
    """What keeps it beside its own status: the scope, since when (sequence time), and who did it."""
    return [(of, since, by) for of, since, by in session.execute(HOLDS, {"enrollment": enrollment_id})]


def heard(session: Session, enrollment_id: int) -> list[dict[str, Any]]:
    """Return what came in of the contact while the enrollment ran, the oldest first. Times are sequence time."""
    return [
        {"at": at, "kind": kind, "says": says, "text": text}
        for at, kind, says, text in session.execute(HEARD, {"enrollment": enrollment_id})
    ]


def paused_by(session: Session, enrollment_id: int) -> str | None:
    """Who paused it last."""
    row = session.execute(PAUSED_BY, {"enrollment": enrollment_id}).fetchone()
    return None if row is None else str(row[0])
