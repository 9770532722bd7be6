"""What there is to do: tasks of all enrollments, in the order in which they are due."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.advance import program_of
from engine.outbox.naming import NAMED_BY, name_of
from engine.rules.program import Program
from producers.tasks.by_hand import PREFIX
from schema.definition import TaskStep
from schema.states import TASK_TYPES, Priority, RowStatus, TaskState

#: The statuses of the outbox rows of tasks in each state.
ROWS_IN: Final[Mapping[TaskState, tuple[RowStatus, ...]]] = {
    TaskState.PENDING: (RowStatus.PENDING, RowStatus.WAITING),
    TaskState.ACTIVE: (RowStatus.OPEN,),
    TaskState.COMPLETED: (RowStatus.DONE,),
    TaskState.CANCELLED: (RowStatus.CANCELLED,),
    TaskState.SKIPPED: (RowStatus.SKIPPED,),
}
STATE_OF: Final = {status: state for state, statuses in ROWS_IN.items() for status in statuses}

#: `of_steps` reads the index outbox_tasks_idx, whose types it names literally.
LIST: Final = f"""
WITH of_steps AS (
    SELECT o.enrollment_id, o.step_key AS step, o.type, o.status, o.reason, o.due_at, o.outcome, t.name,
        t.description, t.priority, t.assignee, t.ended_at, t.ended_by, t.note
    FROM outbox o LEFT JOIN tasks t ON t.outbox_id = o.id
    WHERE o.workspace_id = %(workspace)s AND o.status = ANY(%(statuses)s)
        AND o.type IN ({", ".join(repr(kind) for kind in TASK_TYPES)})
),
by_hand AS (
    SELECT t.enrollment_id, '{PREFIX}' || t.id, t.type, coalesce(t.closed, 'active'), NULL, t.due_at, NULL, t.name,
        t.description, t.priority, t.assignee, t.ended_at, t.ended_by, t.note
    FROM tasks t
    WHERE t.workspace_id = %(workspace)s AND t.outbox_id IS NULL AND coalesce(t.closed, 'active') = ANY(%(states)s)
)
SELECT task.*, e.version_id, e.modified_at IS NOT NULL AS modified, e.status AS enrollment_status, e.exit_reason,
    s.key AS sequence,
    coalesce(nullif(concat_ws(' ', c.first_name, c.last_name), ''), c.external_id, c.email, c.phone) AS contact,
    {NAMED_BY} AS named_by
FROM (SELECT * FROM of_steps UNION ALL SELECT * FROM by_hand) AS task
JOIN enrollments e ON e.id = task.enrollment_id JOIN sequences s ON s.id = e.sequence_id
JOIN contacts c ON c.id = e.contact_id JOIN workspaces w ON w.id = e.workspace_id
WHERE (%(enrollment)s::bigint IS NULL OR e.id = %(enrollment)s) AND (%(sequence)s::text IS NULL OR s.key = %(sequence)s)
    AND (%(assignee)s::text IS NULL OR task.assignee = %(assignee)s)
ORDER BY task.due_at NULLS LAST, task.enrollment_id, task.step LIMIT %(limit)s
"""  # noqa: S608 (composed of our own constants; values are always parameters)


@dataclass(frozen=True, slots=True)
class Task:
    """A task, as those who work it see it."""

    enrollment_id: int
    step: str
    """The key of its step, or `by-hand:` and its number."""
    type: str
    status: str
    """Of its outbox row."""
    reason: str | None
    due_at: datetime | None
    """Sequence time; None: it waits behind another gate."""
    outcome: str | None
    name: str | None
    description: str | None
    priority: str | None
    assignee: str | None
    ended_at: datetime | None
    """Sequence time."""
    ended_by: str | None
    note: str | None
    version_id: int
    modified: bool
    """Whether somebody has changed the steps of its enrollment."""
    enrollment_status: str
    exit_reason: str | None
    """Why its enrollment has ended early."""
    sequence: str
    contact: str
    named_by: dict[str, Any]

    @property
    def enrollment_name(self) -> str:
        """What lists call its enrollment."""
        return name_of(self.named_by)

    @property
    def state(self) -> TaskState:
        """As people see it."""
        return TaskState(self.status) if self.step.startswith(PREFIX) else STATE_OF[RowStatus(self.status)]

    def document(self) -> dict[str, Any]:
        """For a program to read."""
        hidden = ("status", "version_id", "named_by")
        return {"state": self.state.value, "enrollment_name": self.enrollment_name} | {
            name: getattr(self, name) for name in self.__slots__ if name not in hidden
        }


def tasks(
    session: Session,
    workspace_id: int,
    states: Collection[TaskState] = (TaskState.ACTIVE,),
    *,
    enrollment_id: int | None = None,
    sequence: str | None = None,
    assignee: str | None = None,
    limit: int | None = None,
) -> list[Task]:
    """Tasks in these states, those that are due first at the top."""
    with session.cursor(row_factory=class_row(Task)) as cursor:
        cursor.execute(
            LIST,
            {
                "workspace": workspace_id,
                "statuses": [status.value for state in states for status in ROWS_IN[state]],
                "states": [state.value for state in states],
                "enrollment": enrollment_id,
                "sequence": sequence,
                "assignee": assignee,
                "limit": limit,
            },
        )
        found = cursor.fetchall()
    programs: dict[int, Program] = {}
    return [_named(session, task, programs) for task in found]


def _named(session: Session, task: Task, programs: dict[int, Program]) -> Task:
    """A task that nobody has had to do with yet is named by its step."""
    if task.name is not None:
        return task
    if task.version_id not in programs:
        programs[task.version_id] = program_of(session, task.version_id)
    place = programs[task.version_id].by_key.get(task.step)
    if place is None:  # a step that only an older version has
        return replace(task, name=task.step, priority=Priority.MEDIUM.value)
    step = place.step
    priority = step.priority if isinstance(step, TaskStep) else Priority.MEDIUM
    return replace(task, name=step.name or step.key, priority=priority.value)
