"""Enrollments that wait for a person, and of which nothing has been heard for a long time.

Everything else that a step can wait for ends by itself: delays, windows, and conditions and waits, which have a limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row

from engine.clock import sequence_now
from engine.database import Session
from engine.outbox.hold import NOT_HELD
from engine.outbox.leave_many import leave_many
from engine.outbox.naming import NAMED_BY, contact_of, name_of
from schema.states import TASK_TYPES

#: The exit reason of those that are ended for it.
STALE: Final = "stale"

#: `waiting` reads the index outbox_tasks_idx, whose types it names literally: tasks that fell due since are not looked
#: at. What people do to a task (give it to somebody, reopen it) is in the history; opens and clicks by machines are
#: nothing that has happened. The moment is a value, so that the planner sees how few fell due before it.
FIND: Final = f"""
WITH waiting AS MATERIALIZED (
    SELECT o.enrollment_id, o.step_key, o.type, o.due_at FROM outbox o
    WHERE o.workspace_id = %(workspace)s AND o.status = 'open'
        AND o.type IN ({", ".join(repr(kind) for kind in TASK_TYPES)})
        AND o.due_at <= %(before)s
)
SELECT e.id AS enrollment, s.key AS sequence, waiting.step_key AS step, waiting.type, t.name AS task, t.assignee,
    waiting.due_at AS since, last.at AS last_at, {NAMED_BY} AS named_by
FROM waiting JOIN enrollments e ON e.id = waiting.enrollment_id AND e.status = 'active'
JOIN sequences s ON s.id = e.sequence_id JOIN contacts c ON c.id = e.contact_id
JOIN workspaces w ON w.id = e.workspace_id
LEFT JOIN LATERAL (
    SELECT name, assignee FROM tasks JOIN outbox o ON o.id = tasks.outbox_id
    WHERE tasks.enrollment_id = e.id AND o.step_key = waiting.step_key
) AS t ON true
CROSS JOIN LATERAL (
    SELECT greatest(
        waiting.due_at, e.enrolled_at,
        (SELECT max(o.sent_at) FROM outbox o WHERE o.enrollment_id = e.id),
        (SELECT max(tasks.ended_at) FROM tasks WHERE tasks.enrollment_id = e.id),
        (SELECT max(h.sequence_at) FROM history h WHERE h.enrollment_id = e.id),
        (SELECT max(ev.occurred_at) FROM events ev
            WHERE ev.contact_id = e.contact_id AND ev.payload ->> 'machine' IS NULL)
    ) AS at
) AS last
WHERE last.at <= %(before)s AND {NOT_HELD}
    AND (%(sequence)s::bigint IS NULL OR e.sequence_id = %(sequence)s)
    AND (%(among)s::bigint[] IS NULL OR e.id = ANY(%(among)s))
    AND (%(versions)s::bigint[] IS NULL OR e.version_id = ANY(%(versions)s))
ORDER BY last.at, e.id
"""

#: Versions with a rule, found by sequence_versions_stale_idx; together where workspace and time are the same.
RULES: Final = """
SELECT workspace_id, (definition ->> 'stale_after')::bigint AS seconds, array_agg(id ORDER BY id) AS versions
FROM sequence_versions WHERE definition ? 'stale_after'
GROUP BY workspace_id, seconds ORDER BY workspace_id, seconds
"""

HOLD: Final = "SELECT FROM enrollments WHERE id = ANY(%s) ORDER BY id FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Stale:
    """An enrollment that waits for a person. Moments are in sequence time."""

    enrollment: int
    sequence: str
    step: str
    """The key of the task that it waits for."""
    type: str
    task: str | None
    assignee: str | None
    since: datetime
    """When the task fell due."""
    last_at: datetime
    """When something last happened."""
    named_by: dict[str, Any]

    @property
    def name(self) -> str:
        """What lists call the enrollment."""
        return name_of(self.named_by)

    def document(self) -> dict[str, Any]:
        """For a program to read."""
        told = {name: getattr(self, name) for name in self.__slots__ if name not in ("enrollment", "named_by")}
        whose = {"enrollment_id": self.enrollment, "name": self.name, "contact": contact_of(self.named_by)}
        return {**whose, **told}


@dataclass(frozen=True, slots=True)
class Rule:
    """A time after which enrollments of some versions of a workspace's sequences are stale."""

    workspace_id: int
    idle: timedelta
    """Sequence time."""
    versions: list[int]


def rules(session: Session) -> list[Rule]:
    """Return the rules of all workspaces (`stale_after`)."""
    rows = session.execute(RULES.encode()).fetchall()
    return [Rule(workspace, timedelta(seconds=seconds), versions) for workspace, seconds, versions in rows]


def find(
    session: Session,
    workspace_id: int,
    idle: timedelta,
    *,
    sequence_id: int | None = None,
    among: Sequence[int] | None = None,
    versions: Sequence[int] | None = None,
) -> list[Stale]:
    """Enrollments in which nothing has happened for so long and that nothing but a person moves on, the longest first.

    What a pause holds is none of them: it is meant to stand still. `among` and `versions`: only these enrollments, only
    those of these sequence versions.
    """
    asked = {
        "workspace": workspace_id,
        "before": sequence_now(session) - idle,
        "sequence": sequence_id,
        "among": None if among is None else list(among),
        "versions": None if versions is None else list(versions),
    }
    with session.cursor(row_factory=class_row(Stale)) as cursor:
        return cursor.execute(FIND.encode(), asked).fetchall()


def end(
    session: Session,
    workspace_id: int,
    idle: timedelta,
    enrollments: Sequence[int],
    by: str,
    because: str | None,
    versions: Sequence[int] | None = None,
) -> list[int]:
    """End those of the enrollments of which nothing has been heard meanwhile either; give their ids."""
    session.execute(HOLD, (list(enrollments),))
    still = {one.enrollment for one in find(session, workspace_id, idle, among=enrollments, versions=versions)}
    return leave_many(session, workspace_id, sorted(still), STALE, by, because) if still else []
