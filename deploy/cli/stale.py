"""`cadenza stale`."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from deploy.cli.control import By, Reason, operator
from deploy.cli.output import SHOWN, Json, WorkspaceName, report
from deploy.cli.progress import counting
from deploy.cli.session import opened
from engine.outbox.stale import Stale
from producers.stale import end_stale, find_stale


def stale(
    sequence: Annotated[str | None, typer.Argument(metavar="[SEQUENCE]", help="Those of one sequence.")] = None,
    days: Annotated[float, typer.Option(help="For so long nothing has happened, in sequence time.")] = 30,
    end: Annotated[bool, typer.Option("--end", help="End them.")] = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List active enrollments that wait for a person and in which nothing has happened for so many days."""
    with opened(workspace) as session:
        who = operator(session, by, reason)
        found = find_stale(session.database, who.workspace, timedelta(days=days), sequence)
        ended: list[int] = []
        if end:
            with counting("ending", len(found.enrollments)) as progress:
                ended = end_stale(session.database, who, found, progress)
    document: dict[str, Any] = {"days": days, "enrollments": [one.document() for one in found.enrollments]}
    if end:
        document["ended"] = ended
    report(as_json, document, lambda: _text(found.enrollments, days, ended if end else None))


def _text(found: list[Stale], days: float, ended: list[int] | None) -> str:
    lines = [_line(one) for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN:,} more: --json lists all")
    if not found:
        lines.append(f"no enrollment waits for a person with nothing happening for {days:g} days")
    if ended is not None:
        lines.append(f"{len(ended):,} ended")
    return "\n".join(lines)


def _line(one: Stale) -> str:
    whose = one.assignee or "nobody's"
    return (
        f"{one.enrollment}  {one.name}  waits for {one.task or one.step} ({one.type}, {whose})\n"
        f"    since {one.since:%Y-%m-%d %H:%M} UTC; last heard of {one.last_at:%Y-%m-%d %H:%M} UTC"
    )
