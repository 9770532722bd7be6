"""Rows in doubt: handed over, and nobody knows whether the provider accepted them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.rules.doubt import LOOKS

#: The last attempt of each row in doubt that is due for a look: first when the grace time has passed since it
#: ended, then at every interval. Email can't be looked up, and an answer that came late needs no look-up, so nothing
#: is waited for.
DOUBTFUL: Final = """
SELECT o.id, o.fence, o.workspace_id, o.enrollment_id, o.step_key, o.type AS channel, last.fence AS attempt_fence,
    last.recipient, last.payload, last.started_at, last.outcome, last.detail, last.looks,
    (SELECT count(*) FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = 'unanswered') AS unanswered
FROM outbox o
CROSS JOIN LATERAL (SELECT * FROM attempts a WHERE a.outbox_id = o.id ORDER BY a.fence DESC LIMIT 1) AS last
WHERE o.status = 'unknown' AND o.type = ANY(%(channels)b) AND clock_timestamp() >= CASE
    WHEN o.type = 'email' OR last.outcome <> 'unanswered' THEN last.started_at
    WHEN last.looked_at IS NULL THEN last.ended_at + %(grace)b * interval '1 second'
    ELSE last.looked_at + %(interval)b * interval '1 second'
END
ORDER BY last.looked_at NULLS FIRST, o.id LIMIT %(limit)b
"""

LOOKED: Final = """
UPDATE attempts SET looks = looks + %(empty)b, looked_at = clock_timestamp()
WHERE outbox_id = %(row)b AND fence = %(fence)b
"""

#: Provider ids that some row or attempt of ours has already.
CLAIMED: Final = """
SELECT provider_id FROM attempts
WHERE provider_id = ANY(%(ids)b::text[]) AND recipient = %(recipient)b AND channel = 'sms'
    AND (outbox_id, fence) <> (%(row)b, %(fence)b)
"""

#: Attempts of other rows that said the same to the same recipient and may be what the provider has: still on their
#: way or without an answer, not over when this one began, and not found to be unknown to the provider.
RIVALS: Final = f"""
SELECT count(*) FROM outbox o JOIN attempts a ON a.outbox_id = o.id
WHERE o.status IN ('sending', 'unknown', 'review') AND o.id <> %(row)b
    AND a.channel = 'sms' AND a.recipient = %(recipient)b AND a.payload = (
        SELECT payload FROM attempts WHERE outbox_id = %(row)b AND fence = %(fence)b
    )
    AND a.provider_id IS NULL AND (a.outcome IS NULL OR a.outcome = 'unanswered') AND a.looks < {LOOKS}
    AND (a.ended_at IS NULL OR a.ended_at >= %(since)b)
"""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A row in doubt, and its last attempt."""

    id: int
    fence: int
    workspace_id: int
    enrollment_id: int
    step_key: str
    channel: str
    attempt_fence: int
    recipient: str
    payload: dict[str, Any]
    started_at: datetime
    """Real time, UTC."""
    outcome: str
    """AttemptOutcome: `unanswered`, unless the answer came after the row had been taken from its worker."""
    detail: str | None
    looks: int
    """Look-ups that found nothing."""
    unanswered: int
    """Attempts of the row that nobody answered."""


def doubtful(session: Session, channels: list[str], grace: float, interval: float, limit: int = 100) -> list[Doubtful]:
    """Rows in doubt that are due for a look; `grace` and `interval` are in real seconds."""
    with session.cursor(binary=True, row_factory=class_row(Doubtful)) as cursor:
        cursor.execute(DOUBTFUL, {"channels": channels, "grace": grace, "interval": interval, "limit": limit})
        return cursor.fetchall()


def note_look(session: Session, row: Doubtful, *, empty: bool) -> None:
    """Note that the provider was asked, and whether it knew of nothing."""
    session.execute(LOOKED, {"row": row.id, "fence": row.attempt_fence, "empty": int(empty)}, binary=True)


def rivals_of(session: Session, row: Doubtful) -> int:
    """How many attempts of other rows a message may belong to that looks like this row's."""
    found = session.execute(
        RIVALS,
        {
            "row": row.id,
            "recipient": row.recipient,
            "fence": row.attempt_fence,
            "since": row.started_at,
        },
        binary=True,
    ).fetchone()
    return int(found[0]) if found else 0


def taken_ids(session: Session, row: Doubtful, ids: list[str]) -> set[str]:
    """Those of the provider's ids that another attempt of ours has already."""
    rows = session.execute(
        CLAIMED,
        {"recipient": row.recipient, "ids": ids, "row": row.id, "fence": row.attempt_fence},
        binary=True,
    ).fetchall()
    return {provider_id for (provider_id,) in rows}
