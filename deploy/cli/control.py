"""`cadenza pause` and `cadenza resume`."""

import getpass
from dataclasses import asdict
from typing import Annotated, TypeAlias

import typer

from deploy.cli.output import Json, WorkspaceName, handed_over, note, report
from deploy.cli.session import Open, opened
from engine.errors import InvalidInput
from producers.operator import Operator
from producers.pausing import pause_all, pause_enrollment, resume_all, resume_one

EnrollmentId: TypeAlias = Annotated[int, typer.Argument(metavar="ENROLLMENT", help="The id of the enrollment.")]
Reason: TypeAlias = Annotated[str | None, typer.Option("--reason", help="Why: for the history.")]
By: TypeAlias = Annotated[str | None, typer.Option("--by", help="Who: for the history; you otherwise.")]
Whole: TypeAlias = Annotated[bool, typer.Option("--workspace-wide", help="All sequences of the workspace.")]
SequenceKey: TypeAlias = Annotated[str | None, typer.Option("--sequence", metavar="KEY", help="The whole sequence.")]
OneEnrollment: TypeAlias = Annotated[int | None, typer.Argument(metavar="[ENROLLMENT]", help="The enrollment's id.")]


def pause(
    enrollment: OneEnrollment = None,
    sequence: SequenceKey = None,
    workspace_wide: Whole = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Pause an enrollment, a sequence or a workspace: when this returns nothing more is begun."""
    _require_one("pause", enrollment, sequence, workspace_wide)
    with opened(workspace) as session:
        who = operator(session, by, reason)
        if enrollment is not None:
            paused = pause_enrollment(session.database, who, enrollment)
        else:
            paused = pause_all(session.database, who, sequence)
    what = _what(enrollment, sequence, who.workspace)
    document = {"enrollment_id": enrollment, "sequence": sequence, "workspace": who.workspace, **asdict(paused)}
    report(
        as_json,
        document,
        lambda: f"{what} {'is' if paused.changed else 'was already'} paused{handed_over(paused.under_way)}",
    )


def resume(
    enrollment: OneEnrollment = None,
    sequence: SequenceKey = None,
    workspace_wide: Whole = False,
    clock_ran_on: Annotated[
        bool,
        typer.Option("--clock-ran-on", help="Steps keep their times, as far as their distances allow it."),
    ] = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Resume what was paused: what remained of each delay counts from now, and the steps keep their distances."""
    _require_one("resume", enrollment, sequence, workspace_wide)
    with opened(workspace) as session:
        who = operator(session, by, reason)
        if enrollment is not None:
            done = resume_one(session.database, session.wakeups, who, enrollment, keep_times=clock_ran_on)
        else:
            done = resume_all(session.database, session.wakeups, who, sequence, keep_times=clock_ran_on)
    if not done.woken:
        note("cadenza: Redis is away: the sweeper makes up for the wake-ups")
    what = _what(enrollment, sequence, who.workspace)
    document = {
        "enrollment_id": enrollment,
        "sequence": sequence,
        "workspace": who.workspace,
        "changed": done.changed,
        "status": done.status,
        "enrollments": done.enrollments,
    }
    report(as_json, document, lambda: f"{what} is {done.status}" if done.changed else f"{what} was not paused")


def operator(session: Open, by: str | None, reason: str | None) -> Operator:
    """Who gives the command."""
    return Operator(session.settings.workspace, by or f"{getpass.getuser()} (command line)", reason)


def _require_one(command: str, enrollment: int | None, sequence: str | None, workspace_wide: bool) -> None:
    if (enrollment is not None) + (sequence is not None) + workspace_wide != 1:
        raise InvalidInput(f"{command}: name one thing: an enrollment, --sequence KEY or --workspace-wide")


def _what(enrollment: int | None, sequence: str | None, workspace: str) -> str:
    if enrollment is not None:
        return f"enrollment {enrollment}"
    return f"workspace {workspace}" if sequence is None else f"sequence {sequence}"
