"""What there is to do: tasks of all enrollments, in the order in which they are due."""

from collections.abc import Collection, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from psycopg.rows import class_row

from engine.database import Session
from engine.outbox.hold import NOT_HELD
from engine.outbox.naming import NAMED_BY, contact_of, name_of
from engine.outbox.tasks import STATE_BY_HAND
from producers.tasks.by_hand import PREFIX
from producers.tasks.unopened import Steps
from schema.states import TASK_TYPES, EnrollmentStatus, RowStatus, TaskState

#: The statuses of the outbox rows of tasks in each state.
ROWS_IN: Final[Mapping[TaskState, tuple[RowStatus, ...]]] = {
    TaskState.PENDING: (RowStatus.PENDING, RowStatus.WAITING),
    TaskState.ACTIVE: (RowStatus.OPEN,),
    TaskState.COMPLETED: (RowStatus.DONE,),
    TaskState.CANCELLED: (RowStatus.CANCELLED,),
    TaskState.SKIPPED: (RowStatus.SKIPPED,),
}
STATE_OF: Final = {status: state for state, statuses in ROWS_IN.items() for status in statuses}

#: `of_steps` reads the index outbox_tasks_idx, whose types it names literally. A task that nobody had to do with yet
#: has no priority and no assignee here: its step says them (producers/tasks/unopened.py).
LIST: Final = f"""
WITH of_steps AS (
    SELECT o.enrollment_id, o.step_key AS step, o.type, o.status, o.reason, o.due_at, o.outcome, t.name,
        t.description, t.priority, t.assignee, t.ended_at, t.ended_by, t.note
    FROM outbox o LEFT JOIN tasks t ON t.outbox_id = o.id
    WHERE o.workspace_id = %(workspace)s AND o.status = ANY(%(statuses)s)
        AND o.type IN ({", ".join(repr(kind) for kind in TASK_TYPES)})
        AND (%(before)s::timestamptz IS NULL OR o.due_at < %(before)s)
        AND (%(since)s::timestamptz IS NULL OR o.due_at >= %(since)s)
),
by_hand AS (
    SELECT t.enrollment_id, '{PREFIX}' || t.id, t.type, {STATE_BY_HAND}, NULL, t.due_at, NULL, t.name,
        t.description, t.priority, t.assignee, t.ended_at, t.ended_by, t.note
    FROM tasks t JOIN enrollments e ON e.id = t.enrollment_id
    WHERE t.workspace_id = %(workspace)s AND t.outbox_id IS NULL AND {STATE_BY_HAND} = ANY(%(states)s)
        AND (%(before)s::timestamptz IS NULL OR t.due_at < %(before)s)
        AND (%(since)s::timestamptz IS NULL OR t.due_at >= %(since)s)
)
SELECT task.*, e.version_id, e.modified_at IS NOT NULL AS modified, e.status AS enrollment_status, e.exit_reason,
    NOT {NOT_HELD} AS held, s.key AS sequence, c.attributes || e.data AS custom, {NAMED_BY} AS named_by
FROM (SELECT * FROM of_steps UNION ALL SELECT * FROM by_hand) AS task
JOIN enrollments e ON e.id = task.enrollment_id JOIN sequences s ON s.id = e.sequence_id
JOIN contacts c ON c.id = e.contact_id JOIN workspaces w ON w.id = e.workspace_id
WHERE (%(enrollment)s::bigint IS NULL OR e.id = %(enrollment)s) AND (%(sequence)s::text IS NULL OR s.key = %(sequence)s)
    AND (%(contact)s::bigint IS NULL OR e.contact_id = %(contact)s)
    AND (%(tag)s::text IS NULL OR %(tag)s = ANY(c.tags || s.tags))
    AND (%(assignee)s::text IS NULL OR task.name IS NULL OR task.assignee = %(assignee)s)
    AND (%(priority)s::text IS NULL OR task.name IS NULL OR task.priority = %(priority)s)
ORDER BY task.due_at NULLS LAST, task.enrollment_id, task.step
"""  # noqa: S608 (composed of our own constants; values are always parameters)

#: Rows that are read at a time from a cursor in the server: a list stops when it has enough.
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks a list has; None: all of them."""

    enrollment_id: int | None = None
    contact_id: int | None = None
    sequence: str | None = None
    assignee: str | None = None
    priority: str | None = None
    tag: str | None = None
    """Of the contact or of the sequence."""
    due_since: datetime | None = None
    """Sequence time, as the other."""
    due_before: datetime | None = None


#: Every task.
ALL: Final = Wanted()


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
    """The script."""
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
    held: bool
    """Its sequence or workspace is paused."""
    sequence: str
    custom: dict[str, Any]
    """The attributes of its contact and the data of its enrollment."""
    named_by: dict[str, Any]
    place: tuple[int, int] | None = None
    """The number of its step, and how many steps there are; None: it has no step in this version."""

    @property
    def enrollment_name(self) -> str:
        """What lists call its enrollment."""
        return name_of(self.named_by)

    @property
    def state(self) -> TaskState:
        """As people see it."""
        return TaskState(self.status) if self.step.startswith(PREFIX) else STATE_OF[RowStatus(self.status)]

    @property
    def paused(self) -> bool:
        """Whether its enrollment, sequence or workspace is paused."""
        return self.held or self.enrollment_status == EnrollmentStatus.PAUSED

    @property
    def contact(self) -> dict[str, Any]:
        """Its contact."""
        return contact_of(self.named_by)

    @property
    def company(self) -> str | None:
        """The company of its contact."""
        company: str | None = self.named_by["company"]
        return company

    def document(self) -> dict[str, Any]:
        """For a program to read."""
        hidden = ("status", "version_id", "named_by", "held", "custom", "place")
        number, steps = self.place or (None, None)
        return {
            "state": self.state.value,
            "enrollment_name": self.enrollment_name,
            "contact": self.contact,
            "company": self.company,
            "paused": self.paused,
            "step_number": number,
            "steps": steps,
        } | {name: getattr(self, name) for name in self.__slots__ if name not in hidden}


def tasks(
    session: Session,
    workspace_id: int,
    states: Collection[TaskState] = (TaskState.ACTIVE,),
    wanted: Wanted = ALL,
    *,
    limit: int | None = None,
) -> list[Task]:
    """Return tasks in these states, those that are due first at the top; at most `limit`."""
    with closing(_found(session, workspace_id, states, wanted)) as found:
        return list(islice(found, limit))


def _found(session: Session, workspace_id: int, states: Collection[TaskState], wanted: Wanted) -> Generator[Task]:
    steps = Steps(session)
    asked = {
        "workspace": workspace_id,
        "statuses": [status.value for state in states for status in ROWS_IN[state]],
        "states": [state.value for state in states],
        "enrollment": wanted.enrollment_id,
        "contact": wanted.contact_id,
        "sequence": wanted.sequence,
        "assignee": wanted.assignee,
        "priority": wanted.priority,
        "tag": wanted.tag,
        "since": wanted.due_since,
        "before": wanted.due_before,
    }
    with session.cursor("tasks", row_factory=class_row(Task)) as cursor:
        cursor.itersize = PAGE
        cursor.execute(LIST, asked)
        for row in cursor:
            task = _whole(row, steps)
            if wanted.assignee in (None, task.assignee) and wanted.priority in (None, task.priority):
                yield task


def _whole(task: Task, steps: Steps) -> Task:
    """Return a task with its place, and one that nobody had to do with yet as its step has it."""
    place = None if task.step.startswith(PREFIX) else steps.place_of(task.version_id, task.step)
    if task.name is not None:
        return replace(task, place=place)
    unopened = steps.unopened(task.version_id, task.step, task.named_by, task.custom)
    return replace(
        task,
        place=place,
        name=unopened.name,
        priority=unopened.priority,
        assignee=unopened.assignee,
        description=unopened.description,
    )
