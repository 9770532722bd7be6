"""How far the demo has come, as the database tells it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.clock import sequence_now
from engine.database import Database
from schema.states import RowStatus

ROWS: Final = """
SELECT s.key, o.status, count(*)
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN sequences s ON s.id = e.sequence_id
WHERE o.workspace_id = %s GROUP BY 1, 2
"""

OPEN: Final = "SELECT count(*) FROM enrollments WHERE workspace_id = %s AND status IN ('active', 'paused')"

#: Rows in these have ended.
ENDED: Final = (RowStatus.SENT, RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.CANCELLED, RowStatus.REVIEW)


@dataclass(frozen=True, slots=True)
class State:
    """What has become of the messages."""

    now: datetime
    """Sequence time."""
    open_enrollments: int
    rows: Mapping[str, Counter[str]]
    """By the key of the sequence, and by status."""

    @property
    def counts(self) -> Counter[str]:
        """By status."""
        return sum(self.rows.values(), Counter())

    @property
    def total(self) -> int:
        """All messages."""
        return self.counts.total()

    @property
    def sent(self) -> int:
        """What a provider accepted, as the workers know."""
        return self.counts[RowStatus.SENT]

    @property
    def left(self) -> int:
        """What has not ended."""
        return self.total - ended(self.counts)


def ended(counts: Counter[str]) -> int:
    """How many of the rows have ended."""
    return sum(counts[status] for status in ENDED)


def read_state(database: Database, workspace_id: int) -> State:
    """Look once."""
    rows: dict[str, Counter[str]] = {}
    with database.transaction() as session:
        now = sequence_now(session)
        for key, status, count in session.execute(ROWS, (workspace_id,)):
            rows.setdefault(key, Counter())[status] = count
        still_open = session.execute(OPEN, (workspace_id,)).fetchone()
    return State(now, still_open[0] if still_open else 0, rows)
