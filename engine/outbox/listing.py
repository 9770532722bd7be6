"""Enrollments for lists, page by page: each page begins behind the last enrollment of the one before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.naming import NAMED_BY, contact_of, name_of
from schema.states import BLOCKING, EnrollmentStatus, sql_list

#: A page is found status by status, so that an index leads to each of its enrollments however many there are in others.
#: The indexes hold sums with zero, so that no statement that looks enrollments up by their ids can walk along one, and
#: so that no other index gives their order. With a range of rows Postgres up to 17 would not end a scan at its second
#: column.
PAGE: Final = f"""
SELECT e.id AS enrollment, s.key AS sequence, v.number AS version, e.status, e.exit_reason,
    e.modified_at IS NOT NULL AS modified, e.contact_id, e.enrolled_at,
    coalesce(e.completed_at, e.cancelled_at) AS ended_at, following.step_key AS step, following.status AS step_status,
    following.due_at, {NAMED_BY} AS named_by
FROM ({{listed}}) AS listed
JOIN enrollments e ON e.id = listed.id
JOIN sequences s ON s.id = e.sequence_id JOIN sequence_versions v ON v.id = e.version_id
JOIN contacts c ON c.id = e.contact_id JOIN workspaces w ON w.id = e.workspace_id
LEFT JOIN LATERAL (
    SELECT o.step_key, o.status, o.due_at FROM outbox o
    WHERE o.enrollment_id = e.id AND o.status IN ({sql_list(*BLOCKING)}) ORDER BY o.step_order LIMIT 1
) AS following ON true
WHERE e.workspace_id = %(workspace)s
ORDER BY e.id
"""


#: Of a sequence, or of a workspace.
OF_SCOPE: Final = """
    SELECT one.id FROM unnest(%(statuses)s::text[]) AS wanted (status)
    CROSS JOIN LATERAL (
        SELECT e.id FROM enrollments e
        WHERE e.{scope}_id + 0 = %({scope})s::bigint AND e.status = wanted.status AND e.id + 0 > %(after)s::bigint
        ORDER BY e.id + 0 LIMIT %(limit)s
    ) AS one
    ORDER BY one.id LIMIT %(limit)s
"""

#: Of a contact: there are few.
OF_CONTACT: Final = """
    SELECT e.id FROM enrollments e
    WHERE e.contact_id = %(contact)s::bigint AND e.status = ANY(%(statuses)s::text[]) AND e.id + 0 > %(after)s::bigint
    ORDER BY e.id + 0 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """An enrollment in a list. Moments are in sequence time."""

    enrollment: int
    sequence: str
    version: int
    status: str
    exit_reason: str | None
    modified: bool
    """Somebody has changed its own steps."""
    contact_id: int
    enrolled_at: datetime
    ended_at: datetime | None
    step: str | None
    """The step that is next; None: none is."""
    step_status: str | None
    due_at: datetime | None
    """When it is due; None: it has no time yet."""
    named_by: dict[str, Any]

    @property
    def name(self) -> str:
        """What lists call it."""
        return name_of(self.named_by)

    def document(self) -> dict[str, Any]:
        """For a program to read."""
        hidden = ("enrollment", "contact_id", "named_by")
        return {"enrollment_id": self.enrollment, "name": self.name, "contact": contact_of(self.named_by)} | {
            name: getattr(self, name) for name in self.__slots__ if name not in hidden
        }


def page_query(*, sequence: bool) -> str:
    """Return the statement for a page of a sequence, or of a whole workspace."""
    return PAGE.format(listed=OF_SCOPE.format(scope="sequence" if sequence else "workspace"))


def page(
    session: Session,
    workspace_id: int,
    sequence_id: int | None,
    status: str | None,
    after: int,
    limit: int,
    contact_id: int | None = None,
) -> list[Listed]:
    """Return the next enrollments behind one, in the order of their ids: of a sequence, a contact or a workspace."""
    asked = {
        "workspace": workspace_id,
        "sequence": sequence_id,
        "contact": contact_id,
        "statuses": list(EnrollmentStatus) if status is None else [status],
        "after": after,
        "limit": limit,
    }
    with session.cursor(row_factory=class_row(Listed)) as cursor:
        query = page_query(sequence=sequence_id is not None) if contact_id is None else PAGE.format(listed=OF_CONTACT)
        return cursor.execute(query.encode(), asked).fetchall()
