"""Events: what providers and recipients told us, each thing once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from engine.arrays import BigInts, Ints, Texts
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

#: Of many, in the order of their key: two who write the same ones wait for each other in one direction.
RECORD_ALL: Final = """
INSERT INTO events
    (workspace_id, provider, kind, provider_id, status, outbox_id, fence, error_code, payload, occurred_at)
SELECT workspace_id, provider, kind, provider_id, status, nullif(outbox_id, 0), nullif(fence, 0), error_code,
    payload::jsonb, (SELECT sequence_now())
FROM unnest(%(workspaces)b::bigint[], %(providers)b::text[], %(kinds)b::text[], %(provider_ids)b::text[],
    %(statuses)b::text[], %(rows)b::bigint[], %(fences)b::int[], %(error_codes)b::text[], %(payloads)b::text[]
) AS told (workspace_id, provider, kind, provider_id, status, outbox_id, fence, error_code, payload)
ORDER BY workspace_id, provider, provider_id, status
ON CONFLICT DO NOTHING RETURNING workspace_id, provider, provider_id, status
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

    @property
    def key(self) -> tuple[int, str, str, str]:
        """Return what it is known by: another with the same key is a repeat."""
        return self.workspace_id, self.provider, self.provider_id, self.status


def record_all(session: Session, events: Sequence[Event]) -> list[bool]:
    """Write events that are no inbound messages, which happen now; tell which of them are no repeats."""
    first: dict[tuple[int, str, str, str], int] = {}
    for number, event in enumerate(events):
        first.setdefault(event.key, number)
    once = [events[number] for number in first.values()]
    rows = session.execute(
        RECORD_ALL,
        {
            "workspaces": BigInts([event.workspace_id for event in once]),
            "providers": Texts([event.provider for event in once]),
            "kinds": Texts([event.kind for event in once]),
            "provider_ids": Texts([event.provider_id for event in once]),
            "statuses": Texts([event.status for event in once]),
            "rows": BigInts([event.outbox_id or 0 for event in once]),
            "fences": Ints([event.fence or 0 for event in once]),
            "error_codes": Texts([event.error_code for event in once]),
            "payloads": Texts([json.dumps(event.payload) for event in once]),
        },
        binary=True,
    )
    new = {first[key] for key in rows}
    return [number in new for number in range(len(events))]


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
