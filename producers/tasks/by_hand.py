"""Tasks that somebody adds to an enrollment by hand: beside its sequence, which they do not hold up.

They become active when they are due, and are cancelled with their enrollment.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.database import Session
from engine.errors import InvalidInput, NotFound
from engine.outbox import history
from engine.outbox.tasks import STATE_BY_HAND
from schema.states import Priority, TaskState

#: Before the id of such a task, where a step of the sequence is named by its key.
PREFIX: Final = "by-hand:"

#: Of a task: its enrollment has not ended early, and does not while this transaction goes on.
RUNS: Final = """
    EXISTS (SELECT FROM enrollments e WHERE e.id = tasks.enrollment_id AND e.status <> 'cancelled' FOR SHARE)
"""

#: Who did it, where nobody says so.
A_PERSON: Final = "a person"

ADD: Final = """
INSERT INTO tasks (workspace_id, enrollment_id, type, name, description, priority, assignee, due_at)
SELECT e.workspace_id, e.id, %(type)s, %(name)s, %(description)s, %(priority)s, %(assignee)s,
    sequence_now() + %(due_in)s
FROM enrollments e WHERE e.id = %(enrollment)s AND e.workspace_id = %(workspace)s AND e.status <> 'cancelled'
RETURNING id
"""

ENROLLMENT: Final = "SELECT exit_reason FROM enrollments WHERE id = %(enrollment)s AND workspace_id = %(workspace)s"

CLOSE: Final = f"""
UPDATE tasks SET closed = %(state)s, ended_at = CASE WHEN %(state)s::text IS NOT NULL THEN sequence_now() END,
    ended_by = %(by)s, note = coalesce(%(note)s, note),
    reopened_at = CASE WHEN %(state)s::text IS NULL THEN clock_timestamp() ELSE reopened_at END
WHERE id = %(task)s AND workspace_id = %(workspace)s AND enrollment_id = %(enrollment)s AND outbox_id IS NULL
    AND closed IS DISTINCT FROM %(state)s AND (closed IS NULL OR %(state)s::text IS NULL) AND {RUNS}
"""  # noqa: S608 (composed of our own constants)

CHANGE: Final = f"""
UPDATE tasks SET assignee = coalesce(%(assignee)s, assignee), due_at = coalesce(sequence_now() + %(due_in)s, due_at)
WHERE id = %(task)s AND workspace_id = %(workspace)s AND enrollment_id = %(enrollment)s AND outbox_id IS NULL
    AND closed IS NULL AND {RUNS}
"""  # noqa: S608 (composed of our own constants)

STATE: Final = f"""
SELECT {STATE_BY_HAND}, e.exit_reason FROM tasks t JOIN enrollments e ON e.id = t.enrollment_id
WHERE t.id = %(task)s AND t.workspace_id = %(workspace)s AND t.enrollment_id = %(enrollment)s AND t.outbox_id IS NULL
"""  # noqa: S608 (composed of our own constants)


@dataclass(frozen=True, slots=True)
class Which:
    """A task that was added by hand."""

    workspace_id: int
    enrollment_id: int
    task_id: int


def is_by_hand(key: str) -> bool:
    """Whether it names such a task."""
    return key.startswith(PREFIX)


def which(workspace_id: int, enrollment_id: int, key: str) -> Which:
    """Read the name of such a task.

    Raises:
        InvalidInput: it is none.
    """
    number = key.removeprefix(PREFIX)
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise InvalidInput(f"{key!r} names no task: write {PREFIX}NUMBER, as `cadenza tasks` does")
    return Which(workspace_id, enrollment_id, int(number))


def add(
    session: Session,
    workspace_id: int,
    enrollment_id: int,
    name: str,
    *,
    kind: str = "internal_activity",
    description: str | None = None,
    priority: Priority = Priority.MEDIUM,
    assignee: str | None = None,
    due_in: timedelta = timedelta(),
) -> int:
    """Add a task to an enrollment that has not ended early; return the task's id.

    Raises:
        NotFound: the workspace has no such enrollment.
        InvalidInput: it has ended early.
    """
    row = session.execute(
        ADD,
        {
            "workspace": workspace_id,
            "enrollment": enrollment_id,
            "type": kind,
            "name": name,
            "description": description,
            "priority": priority.value,
            "assignee": assignee,
            "due_in": due_in,
        },
    ).fetchone()
    if row is None:
        ended = session.execute(ENROLLMENT, {"enrollment": enrollment_id, "workspace": workspace_id}).fetchone()
        if ended is None:
            raise NotFound(f"no enrollment {enrollment_id} in this workspace")
        raise InvalidInput(f"enrollment {enrollment_id} has ended early ({ended[0]}): its tasks end with it")
    return int(row[0])


def close(
    session: Session, task: Which, state: TaskState | None, *, by: str | None = None, note: str | None = None
) -> bool:
    """Say that it is done or not to be done; None: that it is to be done after all. False: it was so already.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it has ended otherwise.
    """
    asked = {**_names(task), "state": state and state.value, "by": by, "note": note}
    if session.execute(CLOSE, asked).rowcount == 1:
        became = "reopened" if state is None else state.value
        said = "; ".join(filter(None, [f"{PREFIX}{task.task_id}", note]))  # no name: the history can't be erased
        change = history.Change(task.enrollment_id, None, f"task {became}", said)
        history.note(session, task.workspace_id, by or A_PERSON, [change])
        return True
    now, ended = _state(session, task)
    if now not in ((TaskState.ACTIVE, TaskState.PENDING) if state is None else (state,)):
        raise InvalidInput(f"task {PREFIX}{task.task_id} is {now}{ended}")
    return False


def alter(session: Session, task: Which, *, assignee: str | None = None, due_in: timedelta | None = None) -> None:
    """Give it to somebody else, or put it off.

    Raises:
        NotFound: there is no such task.
        InvalidInput: it has ended.
    """
    if session.execute(CHANGE, {**_names(task), "assignee": assignee, "due_in": due_in}).rowcount == 0:
        raise InvalidInput(f"task {PREFIX}{task.task_id} is {''.join(_state(session, task))}")


def _names(task: Which) -> dict[str, object]:
    return {"workspace": task.workspace_id, "enrollment": task.enrollment_id, "task": task.task_id}


def _state(session: Session, task: Which) -> tuple[str, str]:
    """Return the state of a task, and why its enrollment has ended early if it has."""
    row = session.execute(STATE, _names(task)).fetchone()
    if row is None:
        raise NotFound(f"enrollment {task.enrollment_id} has no task {PREFIX}{task.task_id}")
    return str(row[0]), f": its enrollment has ended early ({row[1]})" if row[1] else ""
