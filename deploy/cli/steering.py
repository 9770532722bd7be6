"""`cadenza cancel`, `cadenza skip` and `cadenza run-now`."""

from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli.control import By, EnrollmentId, Reason, operator
from deploy.cli.output import Json, WorkspaceName, handed_over, note, report
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers import steering
from producers.steering import Steered


def cancel(
    enrollment: EnrollmentId,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Cancel an enrollment: what has not begun by the time this returns never will."""
    with opened(workspace) as session:
        done = steering.cancel(session.database, operator(session, by, reason), enrollment)
    said = "is cancelled" if done.changed else "had ended already"
    _report(as_json, enrollment, done, f"enrollment {enrollment} {said}")


def skip(
    enrollment: EnrollmentId,
    step: Annotated[str | None, typer.Argument(metavar="STEP", help="The key of the step.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="STEP", help="All steps before this one.")] = None,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Skip a step that has not gone out, or all steps before it (--to); the next one keeps its delay."""
    key = step if step is not None else to
    if key is None or (step is not None and to is not None):
        raise InvalidInput("skip: name the step to skip, or with --to the step to skip to")
    with opened(workspace) as session:
        who = operator(session, by, reason)
        done = steering.skip(session.database, session.wakeups, who, enrollment, key, to=to is not None)
    said = f"skipped {', '.join(done.steps)}" if done.steps else "there was nothing to skip"
    _report(as_json, enrollment, done, f"enrollment {enrollment}: {said}")


def run_now(
    enrollment: EnrollmentId,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Let the next step of an enrollment go now; those behind it keep their distance to it.

    What is outside its window, or in its quiet hours, goes out when they allow it.
    """
    with opened(workspace) as session:
        done = steering.run_now(session.database, session.wakeups, operator(session, by, reason), enrollment)
    _report(
        as_json,
        enrollment,
        done,
        f"enrollment {enrollment}: {done.steps[0]} is due now, and goes out as soon as its hours allow",
    )


def _report(as_json: bool, enrollment: int, done: Steered, said: str) -> None:
    if not done.woken:
        note("cadenza: Redis is away: the sweeper makes up for the wake-ups")
    said += handed_over(done.under_way)
    document = {"enrollment_id": enrollment, **asdict(done)}
    del document["woken"]
    report(as_json, document, lambda: said)
