"""What was sent to one contact and what came back, the newest first. A contact has few of both."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.lookups import look_up
from schema.states import MESSAGE_TYPES

_MESSAGES: Final = ", ".join(repr(kind) for kind in MESSAGE_TYPES)

_ROWS: Final = f"""
    SELECT o.id, o.enrollment_id, o.step_key, o.type, o.status, o.reason, o.due_at, o.sent_at, o.provider_id,
        o.error_code, o.delivery_status, last.recipient, last.payload, last.started_at, last.detail, s.key AS sequence
    FROM theirs e JOIN sequences s ON {{sequence}}
    JOIN {{outbox}} o ON {{row}} AND o.type IN ({_MESSAGES})
    LEFT JOIN LATERAL (
        SELECT a.recipient, a.payload, a.started_at, a.detail FROM {{attempts}} a
        WHERE a.outbox_id = o.id{{month}} ORDER BY a.fence DESC LIMIT 1
    ) AS last ON true
"""

#: Those in the archive of a month that is detached are not seen.
MESSAGES: Final = f"""
WITH theirs AS MATERIALIZED (
    SELECT e.id, e.sequence_id, e.archived_month FROM enrollments e
    WHERE e.workspace_id = %(workspace)s AND e.contact_id = %(contact)s
        AND (%(enrollment)s::bigint IS NULL OR e.id = %(enrollment)s)
),
found AS (
    {
    _ROWS.format(
        sequence=look_up("s.id", "e.sequence_id"),
        outbox="outbox",
        row=look_up("o.enrollment_id", "e.id"),
        attempts="attempts",
        month="",
    )
}
    UNION ALL
    {
    _ROWS.format(
        sequence=look_up("s.id", "e.sequence_id"),
        outbox="archived_outbox",
        row="o.archived_month = e.archived_month AND o.enrollment_id = e.id",
        attempts="archived_attempts",
        month=" AND a.archived_month = e.archived_month",
    )
}
)
SELECT * FROM found
WHERE CASE WHEN %(statuses)s::text[] IS NULL THEN started_at IS NOT NULL ELSE status = ANY(%(statuses)s) END
ORDER BY coalesce(sent_at, due_at) DESC NULLS LAST, id DESC LIMIT %(limit)s
"""

#: What came in of the contact, and what providers reported of messages to it.
EVENTS: Final = f"""
WITH rows AS MATERIALIZED (
    SELECT o.id, o.enrollment_id, o.step_key, s.key AS sequence
    FROM enrollments e JOIN outbox o ON {look_up("o.enrollment_id", "e.id")} AND o.type IN ({_MESSAGES})
    JOIN sequences s ON {look_up("s.id", "e.sequence_id")}
    WHERE e.workspace_id = %(workspace)s AND e.contact_id = %(contact)s
),
found AS (
    SELECT ev.* FROM events ev WHERE ev.contact_id = %(contact)s AND ev.workspace_id = %(workspace)s
    UNION
    SELECT ev.* FROM rows JOIN events ev ON {look_up("ev.outbox_id", "rows.id")}
        AND ev.workspace_id = %(workspace)s
)
SELECT ev.id, ev.received_at, ev.occurred_at, ev.kind, ev.status AS says, ev.error_code,
    coalesce(ev.payload ->> 'Body', ev.payload ->> 'name', ev.payload ->> 'link') AS text,
    ev.payload ->> 'machine' AS machine, ev.provider_id, rows.id AS row, rows.enrollment_id, rows.step_key,
    rows.sequence
FROM found ev LEFT JOIN rows ON rows.id = ev.outbox_id
WHERE %(says)s::text[] IS NULL OR ev.status = ANY(%(says)s)
ORDER BY ev.id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message to a contact, as its last attempt had it."""

    id: int
    """Of its outbox row."""
    enrollment_id: int
    step_key: str
    type: str
    status: str
    reason: str | None
    due_at: datetime | None
    """Sequence time, as `sent_at`."""
    sent_at: datetime | None
    provider_id: str | None
    error_code: str | None
    delivery_status: str | None
    recipient: str | None
    """None: it was never handed over."""
    payload: dict[str, Any] | None
    started_at: datetime | None
    """Real time of the last hand-over."""
    detail: str | None
    """What the provider said."""
    sequence: str


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """Something that came in, of a contact or of a message to it."""

    id: int
    received_at: datetime
    """Real time."""
    occurred_at: datetime | None
    """Sequence time."""
    kind: str
    says: str
    error_code: str | None
    text: str | None
    machine: str | None
    """The scanner or proxy that did it: no person."""
    provider_id: str
    row: int | None
    """The message that it is about; None: none that is known."""
    enrollment_id: int | None
    step_key: str | None
    sequence: str | None


def messages_to(
    session: Session,
    workspace_id: int,
    contact_id: int,
    *,
    enrollment_id: int | None = None,
    statuses: Collection[str] | None = None,
    limit: int,
) -> list[SentMessage]:
    """Return messages to a contact; without `statuses` those that were handed over."""
    asked = {
        "workspace": workspace_id,
        "contact": contact_id,
        "enrollment": enrollment_id,
        "statuses": None if statuses is None else list(statuses),
        "limit": limit,
    }
    with session.cursor(row_factory=class_row(SentMessage)) as cursor:
        return cursor.execute(MESSAGES.encode(), asked).fetchall()


def events_of(
    session: Session, workspace_id: int, contact_id: int, *, says: Collection[str] | None = None, limit: int
) -> list[HeardEvent]:
    """Return what was heard of a contact and of messages to it; `says`: only these, such as `replied`."""
    asked = {
        "workspace": workspace_id,
        "contact": contact_id,
        "says": None if says is None else list(says),
        "limit": limit,
    }
    with session.cursor(row_factory=class_row(HeardEvent)) as cursor:
        return cursor.execute(EVENTS.encode(), asked).fetchall()
