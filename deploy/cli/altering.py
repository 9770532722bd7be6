"""`cadenza reschedule` and `cadenza delete-step`."""

from typing import Annotated

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.control import By, EnrollmentId, Reason, operator
from deploy.cli.moments import moment_with_zone
from deploy.cli.output import Json, WorkspaceName, note, report
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers import altering
from producers.altering import Altered
from schema.definition import Delay, parse_delay

Step = Annotated[str, typer.Argument(metavar="STEP", help="The key of the step.")]


def reschedule(
    enrollment: EnrollmentId,
    step: Step,
    delay: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long after the step before, as '3 days'.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When, with its zone, as 2026-03-01T09:00+01:00.")
    ] = None,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Give a step that has not begun another time, in this enrollment alone; those behind keep their distances."""
    if (delay is None) == (at is None):
        raise InvalidInput("reschedule: give one of --delay and --at")
    wanted, moment = _delay(delay), moment_with_zone(at, "reschedule")
    with opened(workspace) as session:
        who = operator(session, by, reason)
        done = altering.reschedule(session.database, session.wakeups, who, enrollment, step, delay=wanted, at=moment)
    _report(as_json, enrollment, done)


def delete_step(
    enrollment: EnrollmentId,
    step: Step,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Take a step out of an enrollment: the rest goes on as if it had never been.

    The step has not begun, or is an active task: you are asked before somebody's task goes.
    """
    with opened(workspace) as session:
        who = operator(session, by, reason)
        has_it = altering.assignee_of_active(session.database, who, enrollment, step)
        if has_it is not None:
            confirm(f"task {step!r} of enrollment {enrollment} is active, and {has_it} has it: it is deleted", yes)
        done = altering.delete_step(session.database, session.wakeups, who, enrollment, step, active=has_it is not None)
    _report(as_json, enrollment, done)


def _delay(text: str | None) -> Delay | None:
    try:
        return None if text is None else parse_delay(text)
    except ValueError as error:
        raise InvalidInput(f"reschedule: {error}") from None


def _report(as_json: bool, enrollment: int, done: Altered) -> None:
    if not done.woken:
        note("cadenza: Redis is away: the sweeper makes up for the wake-ups")
    document = {"enrollment_id": enrollment, "step": done.step, "due_at": done.due_at, "says": done.says}
    report(as_json, document, lambda: f"enrollment {enrollment}: {done.step} {done.says}")
