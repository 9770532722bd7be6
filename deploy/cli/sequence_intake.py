"""`cadenza sequence activate`, `close` and `open`: whether new people get into a sequence."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeAlias

import typer

from deploy.cli.control import By, Reason, operator
from deploy.cli.output import IN_PART, Json, WorkspaceName, note, report
from deploy.cli.session import opened
from engine.database import Database
from producers import intake
from producers.intake import Changed
from producers.operator import Operator

Key: TypeAlias = Annotated[str, typer.Argument(metavar="SEQUENCE", help="The key of the sequence.")]


def activate(
    sequence: Key, reason: Reason = None, by: By = None, workspace: WorkspaceName = None, as_json: Json = False
) -> None:
    """Let people into a draft (`cadenza apply --draft`)."""
    done = _change(intake.activate, sequence, reason, by, workspace)
    said = "is active" if done.changed else f"was no draft: it is {done.status}"
    report(as_json, {"sequence": sequence, **asdict(done)}, lambda: f"{sequence} {said}")


def close(
    sequence: Key, reason: Reason = None, by: By = None, workspace: WorkspaceName = None, as_json: Json = False
) -> None:
    """Close a sequence to new people: when this returns nobody new gets in; those who are in it go on."""
    done = _change(intake.close, sequence, reason, by, workspace)
    said = f"{sequence} {'is' if done.changed else 'was already'} closed to new people; those who are in it go on"
    report(as_json, {"sequence": sequence, **asdict(done)}, lambda: said)
    if not done.finished:
        note(
            "cadenza: a transaction that was open before may still enroll somebody:"
            f" run `cadenza sequence close {sequence}` again when it has ended (see pg_stat_activity)"
        )
        raise typer.Exit(IN_PART)


def reopen(
    sequence: Key, reason: Reason = None, by: By = None, workspace: WorkspaceName = None, as_json: Json = False
) -> None:
    """Let new people into a sequence that was closed."""
    done = _change(intake.reopen, sequence, reason, by, workspace)
    standing = "is open to new people" if done.changed else "was not closed to new people"
    but = "" if done.status == "active" else f", but it is {done.status}"
    report(as_json, {"sequence": sequence, **asdict(done)}, lambda: f"{sequence} {standing}{but}")


def _change(
    act: Callable[[Database, Operator, str], Changed],
    sequence: str,
    reason: str | None,
    by: str | None,
    workspace: str | None,
) -> Changed:
    with opened(workspace) as session:
        return act(session.database, operator(session, by, reason), sequence)
