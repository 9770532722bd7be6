"""`cadenza complete` and `cadenza task ...`: what people do, and what they say of it."""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.output import Json, WorkspaceName, note, report
from deploy.cli.session import opened, wake
from engine.database import Session
from engine.errors import InvalidInput
from producers.tasks import acts, by_hand
from producers.tasks.acts import Acted
from producers.workspaces import find_workspace
from schema.definition import parse_duration
from schema.states import Priority, TaskState

app = typer.Typer(help="Reassign, snooze, skip, reopen or add a human task.", no_args_is_help=True)

Enrollment = Annotated[int, typer.Argument(help="The enrollment.")]
Step = Annotated[str, typer.Argument(help="The key of the step, or by-hand:NUMBER, as `cadenza tasks` shows it.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.")]


class Kind(StrEnum):
    """The types of tasks."""

    CALL = "call"
    SOCIAL_MESSAGE = "social_message"
    INTERNAL_ACTIVITY = "internal_activity"
    MANUAL_SMS = "manual_sms"
    MANUAL_EMAIL = "manual_email"


def complete(
    enrollment: Enrollment,
    step: Step,
    outcome: Annotated[str | None, typer.Option(help="How it ended; required if the step has outcomes.")] = None,
    remark: Annotated[str | None, typer.Option("--note", help="What there is to say of it.")] = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Complete a human task: the steps behind it count from now. Again with another --outcome: correct the outcome."""

    def act(transaction: Session, workspace_id: int) -> Acted:
        if by_hand.is_by_hand(step):
            if outcome is not None:
                raise InvalidInput("complete: a task that was added by hand has no outcomes")
            which = by_hand.which(workspace_id, enrollment, step)
            return Acted(by_hand.close(transaction, which, TaskState.COMPLETED, by=by, note=remark))
        return acts.complete(transaction, workspace_id, enrollment, step, outcome=outcome, note=remark, by=by)

    _act(workspace, as_json, enrollment, step, "completed", act)


@app.command()
def skip(
    enrollment: Enrollment, step: Step, by: By = None, workspace: WorkspaceName = None, as_json: Json = False
) -> None:
    """Leave a task undone; the sequence goes on."""

    def act(transaction: Session, workspace_id: int) -> Acted:
        if by_hand.is_by_hand(step):
            which = by_hand.which(workspace_id, enrollment, step)
            return Acted(by_hand.close(transaction, which, TaskState.SKIPPED, by=by))
        return acts.skip(transaction, workspace_id, enrollment, step, by=by)

    _act(workspace, as_json, enrollment, step, "skipped", act)


@app.command()
def reopen(enrollment: Enrollment, step: Step, workspace: WorkspaceName = None, as_json: Json = False) -> None:
    """Say that a task is not done after all; what has not begun behind it waits for it once more."""

    def act(transaction: Session, workspace_id: int) -> Acted:
        if by_hand.is_by_hand(step):
            return Acted(by_hand.close(transaction, by_hand.which(workspace_id, enrollment, step), None))
        return acts.reopen(transaction, workspace_id, enrollment, step)

    _act(workspace, as_json, enrollment, step, "reopened", act)


@app.command()
def reassign(
    enrollment: Enrollment,
    step: Step,
    assignee: Annotated[str, typer.Argument(help="Who does it.")],
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Give a task to somebody else."""
    if not 0 < len(assignee.strip()) <= 200:
        raise InvalidInput("task reassign: the assignee is 1 to 200 characters")

    def act(transaction: Session, workspace_id: int) -> Acted:
        if by_hand.is_by_hand(step):
            by_hand.alter(transaction, by_hand.which(workspace_id, enrollment, step), assignee=assignee)
            return Acted()
        return acts.reassign(transaction, workspace_id, enrollment, step, assignee)

    _act(workspace, as_json, enrollment, step, f"given to {assignee}", act)


@app.command()
def snooze(
    enrollment: Enrollment,
    step: Step,
    by: Annotated[str, typer.Argument(metavar="TIME", help="How long from now, as '2 hours'.")],
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Put a task off."""
    duration = _duration("snooze", by)

    def act(transaction: Session, workspace_id: int) -> Acted:
        if by_hand.is_by_hand(step):
            by_hand.alter(transaction, by_hand.which(workspace_id, enrollment, step), due_in=duration)
            return Acted()
        return acts.snooze(transaction, workspace_id, enrollment, step, duration)

    _act(workspace, as_json, enrollment, step, f"snoozed for {by}", act)


@app.command()
def add(
    enrollment: Enrollment,
    name: Annotated[str, typer.Argument(help="What is to be done.")],
    kind: Annotated[Kind, typer.Option("--type", help="The type of the task.")] = Kind.INTERNAL_ACTIVITY,
    description: Annotated[str | None, typer.Option(help="More about it.")] = None,
    priority: Annotated[Priority, typer.Option()] = Priority.MEDIUM,
    assignee: Annotated[str | None, typer.Option(help="Who does it.")] = None,
    due_in: Annotated[str, typer.Option(metavar="TIME", help="How long from now, as '2 days'.")] = "0 minutes",
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Add a task to an enrollment by hand; it holds nothing up."""
    if not 0 < len(name.strip()) <= 200:
        raise InvalidInput("task add: the name is 1 to 200 characters")
    duration = _duration("add", due_in)
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        task_id = by_hand.add(
            transaction,
            workspace_id,
            enrollment,
            name,
            kind=kind.value,
            description=description,
            priority=priority,
            assignee=assignee,
            due_in=duration,
        )
    key = f"{by_hand.PREFIX}{task_id}"
    report(as_json, {"enrollment_id": enrollment, "step": key}, lambda: f"enrollment {enrollment}: task {key} added")


def _act(
    workspace: str | None,
    as_json: bool,
    enrollment: int,
    step: str,
    done: str,
    act: Callable[[Session, int], Acted],
) -> None:
    """Do it in one transaction, wake what follows, and tell."""
    with opened(workspace) as session:
        with session.database.transaction() as transaction:
            acted = act(transaction, find_workspace(transaction, session.settings.workspace).id)
        wake(session, acted.wakeups, "what was done stands")
    for warning in acted.warnings:
        note(f"cadenza: {warning}")
    document = {"enrollment_id": enrollment, "step": step, "changed": acted.changed, "warnings": acted.warnings}
    said = done if acted.changed else f"was {done} already: nothing is new"
    report(as_json, document, lambda: f"enrollment {enrollment}: {step} {said}")


def _duration(command: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput(f"task {command}: {error}") from None
