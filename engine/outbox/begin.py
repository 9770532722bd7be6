"""Begin attempts: written and committed before the provider is called, so that no hand-over is ever forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.outbox.pause import NOT_PAUSED

#: The recipient has not been suppressed since the claim.
NOT_SUPPRESSED: Final = """
    NOT EXISTS (
        SELECT FROM suppressions s WHERE s.workspace_id = o.workspace_id AND s.channel = o.type
            AND s.address = CASE o.type WHEN 'sms' THEN attempt.recipient
                ELSE (SELECT c.email_key FROM contacts c WHERE c.id = e.contact_id) END
    )
"""

#: Only under the fence and the lease of the claim, and while the enrollment is still active and the channel does not
#: pause. Who ends an enrollment
#: waits for what is being begun (FOR SHARE), so that nothing is begun once that is committed; an enrollment that is
#: being ended at this moment is not waited for: its row goes back.
BEGIN: Final = f"""
INSERT INTO attempts (outbox_id, fence, workspace_id, channel, recipient, payload, lateness_seconds)
SELECT o.id, o.fence, o.workspace_id, o.type, attempt.recipient, attempt.payload::jsonb, attempt.lateness
FROM unnest(
        %(ids)b::bigint[], %(fences)b::int[], %(recipients)b::text[], %(payloads)b::text[], %(latenesses)b::float8[]
    )
    AS attempt (id, fence, recipient, payload, lateness)
JOIN outbox o ON o.id = attempt.id AND o.fence = attempt.fence AND o.lease_until > clock_timestamp()
JOIN enrollments e ON e.id = o.enrollment_id AND e.status = 'active'
WHERE {NOT_SUPPRESSED} AND {NOT_PAUSED}
FOR SHARE OF e SKIP LOCKED
RETURNING outbox_id
"""

STILL_GOOD: Final = f"""
SELECT FROM outbox o JOIN attempts attempt ON attempt.outbox_id = o.id AND attempt.fence = o.fence
JOIN enrollments e ON e.id = o.enrollment_id AND e.status = 'active'
WHERE o.id = %(id)b AND o.fence = %(fence)b AND {NOT_SUPPRESSED}
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is about to be handed over."""

    id: int
    fence: int
    recipient: str
    payload: str
    """JSON: the message as rendered."""
    lateness: float
    """Real seconds since the row fell due."""


def begin(session: Session, attempts: Sequence[Attempt]) -> set[int]:
    """Write the attempts; tell the rows of which may be handed over once this is committed."""
    rows = session.execute(
        BEGIN,
        {
            "ids": [attempt.id for attempt in attempts],
            "fences": [attempt.fence for attempt in attempts],
            "recipients": [attempt.recipient for attempt in attempts],
            "payloads": [attempt.payload for attempt in attempts],
            "latenesses": [attempt.lateness for attempt in attempts],
        },
        prepare=True,
        binary=True,
    ).fetchall()
    return {row[0] for row in rows}


def still_good(session: Session, row_id: int, fence: int) -> bool:
    """Whether an attempt that was begun a while ago may be handed over: nobody has said STOP since."""
    return session.execute(STILL_GOOD, {"id": row_id, "fence": fence}, binary=True).fetchone() is not None
