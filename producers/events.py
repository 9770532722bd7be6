"""Events: what providers and recipients told us, each thing once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from engine.database import Session

TWILIO: Final = "twilio"

#: A message that was received is one event, whatever it says now that something else is known of its sender.
RECORD: Final = """
INSERT INTO events
    (workspace_id, provider, kind, provider_id, status, outbox_id, fence, contact_id, error_code, payload, occurred_at)
SELECT %(workspace_id)s, %(provider)s, %(kind)s, %(provider_id)s, %(status)s, %(outbox_id)s::bigint, %(fence)s::integer,
    %(contact_id)s::bigint, %(error_code)s, %(payload)s, coalesce(%(occurred_at)s, sequence_now())
WHERE %(kind)s <> 'inbound' OR NOT EXISTS (
    SELECT FROM events WHERE workspace_id = %(workspace_id)s AND provider = %(provider)s
        AND provider_id = %(provider_id)s AND kind = 'inbound'
)
ON CONFLICT DO NOTHING RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a provider told us."""

    workspace_id: int
    kind: Literal["status", "inbound", "signal"]
    provider_id: str
    """The provider's name of the message."""
    status: str
    payload: dict[str, Any]
    outbox_id: int | None = None
    fence: int | None = None
    contact_id: int | None = None
    error_code: str | None = None
    provider: str = TWILIO
    occurred_at: datetime | None = None
    """Sequence time; None: now."""


def record(session: Session, event: Event) -> int | None:
    """Write an event and give its id; None: it is a repeat. One that is being written is waited for."""
    row = session.execute(
        RECORD,
        {
            "workspace_id": event.workspace_id,
            "provider": event.provider,
            "kind": event.kind,
            "provider_id": event.provider_id,
            "status": event.status,
            "outbox_id": event.outbox_id,
            "fence": event.fence,
            "contact_id": event.contact_id,
            "error_code": event.error_code,
            "payload": Jsonb(event.payload),
            "occurred_at": event.occurred_at,
        },
    ).fetchone()
    return None if row is None else int(row[0])
