"""What a file does not say of a version of a sequence: who applied it, and whether the sequence takes people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from engine.database import Session
from engine.rules.intake import takes_nobody

ABOUT: Final = """
SELECT v.number AS version, (SELECT max(number) FROM sequence_versions WHERE sequence_id = s.id) AS newest,
    v.created_by AS applied_by, v.created_at AS applied_at, s.status, s.closed_at, s.closed_by
FROM sequences s JOIN sequence_versions v ON v.sequence_id = s.id
WHERE s.workspace_id = %(workspace)s AND s.key = %(key)s
    AND (v.number = %(number)s OR %(number)s::int IS NULL) ORDER BY v.number DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class About:
    """A version of a sequence that is there."""

    version: int
    newest: int
    applied_by: str | None
    """None: it is not known."""
    applied_at: datetime
    """Real time."""
    status: str
    closed_at: datetime | None
    """Since when the sequence takes no new people. Sequence time; None: it takes them."""
    closed_by: str | None

    def __str__(self) -> str:
        """Return it in one line."""
        by = f" by {self.applied_by}" if self.applied_by else ""
        return (
            f"version {self.version} of {self.newest}, applied {self.applied_at:%Y-%m-%d %H:%M} UTC{by};"
            f" the sequence {self._standing}"
        )

    @property
    def _standing(self) -> str:
        standing = takes_nobody(self.status, closed=False)
        if self.closed_at is None:
            return standing or "takes new people"
        closed = f"closed to new people by {self.closed_by}"
        return f"is {closed}" if standing is None else f"{standing}, and {closed}"


def about(session: Session, workspace_id: int, key: str, number: int | None = None) -> About:
    """Return what is known of a version that is there; None: of the newest."""
    with session.cursor(row_factory=class_row(About)) as cursor:
        found = cursor.execute(ABOUT, {"workspace": workspace_id, "key": key, "number": number}).fetchone()
    assert found is not None  # noqa: S101 (the caller has found the version)
    return found
