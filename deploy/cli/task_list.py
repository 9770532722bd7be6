"""`cadenza tasks`: what people have to do."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from deploy.cli.output import SHOWN, Json, WorkspaceName, fitted, report
from deploy.cli.session import opened
from engine.clock import sequence_now
from engine.errors import InvalidInput
from producers.contact_lookup import find_contact
from producers.enrollments import find_enrollment
from producers.sequences import find_sequence
from producers.tasks.listing import Task, Wanted
from producers.tasks.listing import tasks as list_tasks
from producers.workspaces import find_workspace
from schema.states import Priority, TaskState

DAY: Final = timedelta(days=1)
NAMED_DAYS: Final = {"today": 0, "tomorrow": 1}


class State(StrEnum):
    """The states of tasks, and all of them."""

    PENDING = TaskState.PENDING.value
    ACTIVE = TaskState.ACTIVE.value
    COMPLETED = TaskState.COMPLETED.value
    CANCELLED = TaskState.CANCELLED.value
    SKIPPED = TaskState.SKIPPED.value
    ALL = "all"


def tasks(
    state: Annotated[State, typer.Option(help="Those in this state.")] = State.ACTIVE,
    assignee: Annotated[str | None, typer.Option(help="Those that are somebody's.")] = None,
    due: Annotated[
        str | None, typer.Option(metavar="DAY", help="Those due on a day: today, tomorrow or 2026-03-01.")
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Those that were due before today.")] = False,
    priority: Annotated[Priority | None, typer.Option(help="Those of this priority.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Those of one sequence.")] = None,
    enrollment: Annotated[int | None, typer.Option(help="Those of one enrollment.")] = None,
    contact: Annotated[
        str | None, typer.Option(metavar="CONTACT", help="Those of one contact: EMAIL, PHONE, its id, external_id:X.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Those whose contact or sequence has this tag.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List human tasks with whom they are about: overdue ones first, then today's, then later ones.

    Days are those of the workspace's time zone.
    """
    if due is not None and overdue:
        raise InvalidInput("tasks: give --due or --overdue, not both")
    states = tuple(TaskState) if state is State.ALL else (TaskState(state.value),)
    with opened(workspace) as session, session.database.transaction() as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        if sequence is not None:
            find_sequence(transaction, mine.id, sequence)
        if enrollment is not None:
            find_enrollment(transaction, mine.id, enrollment)
        today = sequence_now(transaction).astimezone(ZoneInfo(mine.timezone)).replace(hour=0, minute=0, second=0)
        today = today.replace(microsecond=0)
        wanted = Wanted(
            enrollment_id=enrollment,
            contact_id=None if contact is None else find_contact(transaction, mine, contact),
            sequence=sequence,
            assignee=assignee,
            priority=None if priority is None else priority.value,
            tag=tag,
            due_before=today if overdue else None,
        )
        if due is not None:
            day = _day(due, today)
            wanted = replace(wanted, due_since=day, due_before=day + DAY)
        found = list_tasks(transaction, mine.id, states, wanted, limit=None if as_json else SHOWN + 1)
    document = {"tasks": [task.document() | {"due": _when(task, today)} for task in found]}
    report(as_json, document, lambda: _text(found, state, assignee, today))


def _day(written: str, today: datetime) -> datetime:
    """Return when a day begins in the zone of `today`."""
    if written in NAMED_DAYS:
        return today + NAMED_DAYS[written] * DAY
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise InvalidInput(
            f"tasks: --due {written!r} is no day: expected today, tomorrow or such as 2026-03-01"
        ) from None
    return today.replace(year=day.year, month=day.month, day=day.day)


def _when(task: Task, today: datetime) -> str | None:
    """Return when a task that is not done is due: `overdue`, `today`, `tomorrow`, `later`; None: it has no time."""
    if task.due_at is None or task.state not in (TaskState.ACTIVE, TaskState.PENDING):
        return None
    if task.due_at < today:
        return "overdue"
    days = ("today", "tomorrow")
    return next((day for number, day in enumerate(days, 1) if task.due_at < today + number * DAY), "later")


def _text(found: list[Task], state: State, assignee: str | None, today: datetime) -> str:
    more = ["and more: --json lists all"] if len(found) > SHOWN else []
    nothing = "no tasks" if state is State.ALL else f"no {state.value} tasks"
    if assignee is not None:
        nothing += f" of {assignee!r}"
    return "\n".join([*(_told(task, today) for task in found[:SHOWN]), *more]) or nothing


def _told(task: Task, today: datetime) -> str:
    due = f"due {task.due_at:%Y-%m-%d %H:%M} UTC" if task.due_at else "waits behind another step"
    when = _when(task, today)
    head = [
        task.state.value,
        due if when in (None, "later") else f"{due} ({when})",
        f"{task.priority} priority",
        task.assignee or "nobody's",
        f"{task.name} ({task.type})",
        *_marks(task),
    ]
    lines = ["  ".join(head), f"    {_whom(task)}", f"    {_where(task)}"]
    if task.description:
        lines += [f"    {line}" for line in task.description.splitlines()]
    return fitted(lines)


def _marks(task: Task) -> list[str]:
    marks = ["paused"] if task.paused else []
    if task.modified:
        marks.append("modified")
    if task.exit_reason is not None:
        marks.append(f"its enrollment has ended early: {task.exit_reason}")
    if task.outcome is not None:
        marks.append(f"came to {task.outcome}")
    return marks


def _whom(task: Task) -> str:
    contact: dict[str, Any] = task.contact
    name = " ".join(filter(None, [contact["first_name"], contact["last_name"]])) or contact["external_id"]
    said = filter(None, [name, task.company, contact["phone"], contact["email"]])
    return "  ".join(said) or f"contact {contact['id']}"


def _where(task: Task) -> str:
    place = "" if task.place is None else f" ({task.place[0]} of {task.place[1]})"
    return f"{task.sequence}, step {task.step}{place}, enrollment {task.enrollment_id}"
