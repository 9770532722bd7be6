"""`cadenza retain`."""

from typing import Annotated, Any, Final

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.output import Json, note, report, table
from deploy.cli.progress import counting
from deploy.cli.session import opened
from producers.retention import Retained
from producers.retention import retain as remove

IN_PART: Final = 3

#: What is removed, in the order in which it is listed.
TABLES: Final = ("attempts", "events", "history")


def retain(
    months: Annotated[int, typer.Option("--months", min=1, max=1_200, help="Keep so many months and this one.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be removed, and remove nothing.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove attempts, events and history of enrollments that ended long ago; opt-outs and enrollments stay."""
    with opened() as session:
        done = remove(session.database, months, dry_run=True)
        found = done.removed()
        if not dry_run and found:
            confirm(f"this removes {found:,} row(s) from before {done.before:%Y-%m-%d}, of all workspaces", yes)
            with counting("removing", found) as progress:
                done = remove(session.database, months, progress=progress)
    document: dict[str, Any] = {"dry_run": dry_run, **done.document()}
    report(as_json, document, lambda: _text(done, dry_run))
    if done.busy:
        note(
            "cadenza: somebody reads months of the history that were to be removed (a backup?):"
            " run `cadenza retain` again when it has ended"
        )
        raise typer.Exit(IN_PART)


def _text(done: Retained, dry_run: bool) -> str:
    verb = "would remove" if dry_run else "removed"
    rows: list[tuple[str, Any]] = [("kept from", f"{done.before:%Y-%m-%d}")]
    for name in TABLES:
        months = {month: held for (of, month), held in sorted(done.months.items()) if of == name}
        rows.append((name, f"{verb} {done.removed(name):,}"))
        rows.extend((f"  {month:%Y-%m}", _month(verb, held.removed, held.kept)) for month, held in months.items())
    rows.extend((f"  {month:%Y-%m}", "busy: left as it is") for month in done.busy)
    return table(rows)


def _month(verb: str, removed: int, kept: int) -> str:
    return f"{verb} {removed:,}" + (f", {kept:,} still needed" if kept else "")
