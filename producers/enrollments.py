"""Enrollments as commands name them: by their ids, within a workspace."""

from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.errors import NotFound

FIND: Final = """
SELECT id, status, exit_reason, sequence_id FROM enrollments WHERE id = %s AND workspace_id = %s
"""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One contact in one version of one sequence."""

    id: int
    status: str
    exit_reason: str | None
    sequence_id: int

    @property
    def standing(self) -> str:
        """The status in words."""
        return self.status if self.exit_reason is None else f"{self.status} ({self.exit_reason})"


def find_enrollment(session: Session, workspace_id: int, enrollment_id: int, *, lock: bool = False) -> Enrollment:
    """Find an enrollment; `lock`: keep it as it is until the transaction ends.

    Raises:
        NotFound: the workspace has none of that id.
    """
    found = FIND + " FOR UPDATE" if lock else FIND
    row = None
    if 0 < enrollment_id < 2**63:
        row = session.execute(found.encode(), (enrollment_id, workspace_id)).fetchone()
    if row is None:
        raise NotFound(f"no enrollment {enrollment_id} in this workspace: `cadenza publish` tells the ids of new ones")
    return Enrollment(*row)
