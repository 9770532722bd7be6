"""`cadenza archive` and `cadenza unarchive`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.control import By, Reason, operator
from deploy.cli.output import IN_PART, Json, WorkspaceName, handed_over, note, report
from deploy.cli.progress import counting
from deploy.cli.session import opened
from engine.outbox.archive import Running
from producers import archiving
from schema.counted import counted

Key = Annotated[str, typer.Argument(metavar="SEQUENCE", help="The key of the sequence.")]


def archive(
    sequence: Key,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be ended, and end nothing.")] = False,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Archive a sequence: at once nothing more goes out of it, and what runs is ended; its history stays."""
    with opened(workspace) as session:
        who = operator(session, by, reason)
        runs = archiving.what_runs(session.database, who.workspace, sequence)
        document: dict[str, Any] = {"sequence": sequence, "dry_run": dry_run}
        if dry_run:
            report(as_json, {**document, **asdict(runs)}, lambda: f"archiving {sequence} would end {_what(runs)}")
            return
        confirm(f"archiving {sequence} ends {_what(runs)}", yes)
        with counting("ending", runs.active + runs.paused) as progress:
            done = archiving.archive(session.database, who, sequence, progress=progress)
    if not done.finished:
        note(
            "cadenza: a transaction that was open before may still enroll somebody, who is held back:"
            f" run `cadenza archive {sequence}` again when it has ended (see pg_stat_activity)"
        )
    ended = counted(done.enrollments, "enrollment")
    said = f"{sequence} {'is' if done.changed else 'was already'} archived; {ended} ended{handed_over(done.under_way)}"
    report(as_json, {**document, **asdict(done)}, lambda: said)
    if not done.finished:
        raise typer.Exit(IN_PART)


def unarchive(
    sequence: Key,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Bring an archived sequence back to what it was; the enrollments that were ended stay so."""
    with opened(workspace) as session:
        done = archiving.unarchive(session.database, operator(session, by, reason), sequence)
    said = f"{sequence} is {done.status}" if done.changed else f"{sequence} was not archived: it is {done.status}"
    report(as_json, {"sequence": sequence, **asdict(done)}, lambda: said)


def _what(runs: Running) -> str:
    tasks = f", with {counted(runs.tasks, 'open task')}" if runs.tasks else ""
    return f"{runs.active:,} active and {counted(runs.paused, 'paused enrollment')}{tasks}"
