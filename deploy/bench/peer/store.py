"""The peer's rows: one transaction claims one, one marks it. By SQLAlchemy, on a pool, with prepared plans."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text

#: Checked and updated in one statement: due, active, not suppressed, and nobody else's.
CLAIM: Final = text("""
UPDATE peer.outbox AS o
SET status = 'sending', lease_until = now() + interval '1 minute', attempts = o.attempts + 1
FROM peer.enrollments e JOIN peer.contacts c ON c.id = e.contact_id
WHERE o.id = :row AND e.id = o.enrollment_id AND e.status = 'active' AND o.due_at <= now()
    AND (o.status = 'pending' OR o.status = 'sending' AND o.lease_until < now())
    AND NOT EXISTS (
        SELECT FROM peer.suppressions s
        WHERE s.channel = o.channel AND s.address = CASE o.channel WHEN 'sms' THEN c.phone ELSE c.email END
    )
RETURNING o.id, o.channel, c.first_name, c.phone, c.email, c.attributes
""")

MARK: Final = text("""
UPDATE peer.outbox SET status = 'sent', provider_id = :provider_id, sent_at = clock_timestamp(), lease_until = NULL
WHERE id = :row AND status = 'sending' RETURNING enrollment_id
""")
COMPLETE: Final = text("""
UPDATE peer.enrollments e SET status = 'completed' WHERE e.id = :enrollment AND e.status = 'active'
    AND NOT EXISTS (SELECT FROM peer.outbox o WHERE o.enrollment_id = e.id AND o.status IN ('pending', 'sending'))
""")
FAIL: Final = text("""
UPDATE peer.outbox SET status = 'failed', error = :error, lease_until = NULL WHERE id = :row AND status = 'sending'
""")


@dataclass(frozen=True, slots=True)
class Job:
    """A row that this thread has claimed."""

    row: int
    channel: str
    first_name: str
    phone: str
    email: str
    attributes: dict[str, Any]


class Store:
    """Claims and marks rows. Used by many threads, each with a connection of the pool."""

    def __init__(self, url: str, connections: int) -> None:
        """Prepare; psycopg prepares what is executed for the sixth time."""
        target = urlsplit(url)._replace(scheme="postgresql+psycopg").geturl()
        self._engine = create_engine(target, pool_size=connections, max_overflow=0)

    def claim(self, row: int) -> Job | None:
        """Claim a row; None: it is not to be sent."""
        with self._engine.begin() as connection:
            found = connection.execute(CLAIM, {"row": row}).one_or_none()
        return None if found is None else Job(*found)

    def mark_sent(self, row: int, provider_id: str) -> None:
        """Write down that the provider took it; an enrollment with nothing left is completed."""
        with self._engine.begin() as connection:
            enrollment = connection.execute(MARK, {"row": row, "provider_id": provider_id}).scalar_one_or_none()
            if enrollment is not None:
                connection.execute(COMPLETE, {"enrollment": enrollment})

    def mark_failed(self, row: int, error: str) -> None:
        """Write down that it can't be sent."""
        with self._engine.begin() as connection:
            connection.execute(FAIL, {"row": row, "error": error})

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
