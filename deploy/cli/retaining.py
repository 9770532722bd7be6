"""`cadenza retain`."""

from typing import Annotated, Any, Final

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.output import IN_PART, Json, note, report, table
from deploy.cli.progress import counting
from deploy.cli.session import opened
from producers.retention import Retained
from producers.retention import retain as remove
from schema.counted import counted

#: What is removed, in the order in which it is listed.
TABLES: Final = ("events", "history")


def retain(
    months: Annotated[int, typer.Option("--months", min=1, max=1_200, help="Keep so many months and this one.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be archived and removed, and change nothing.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Archive the steps of enrollments that ended long ago, and remove their events and history.

    Steps and attempts move into a partition of the month in which the enrollment ended (`cadenza archives`).
    Enrollments and opt-outs stay.
    """
    with opened() as session:
        done = remove(session.database, months, dry_run=True)
        moved, removed = done.moved(), done.removed()
        if not dry_run and moved + removed:
            confirm(
                f"this archives {counted(moved, 'step')} and removes {counted(removed, 'row')} from before"
                f" {done.before:%Y-%m-%d}, of all workspaces",
                yes,
            )
            with counting("moving and removing", moved + removed) as progress:
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
    archive = "would archive" if dry_run else "archived"
    rows.append(("steps", f"{archive} {done.moved():,}" + (f", {done.kept:,} stay" if done.kept else "")))
    rows.extend(
        (f"  {month:%Y-%m}", f"{archive} {held.rows:,} with {counted(held.attempts, 'attempt')}")
        for month, held in sorted(done.archived.items())
    )
    for name in TABLES:
        months = {month: held for (of, month), held in sorted(done.months.items()) if of == name}
        rows.append((name, f"{verb} {done.removed(name):,}"))
        rows.extend((f"  {month:%Y-%m}", _month(verb, held.removed, held.kept)) for month, held in months.items())
    rows.extend((f"  {month:%Y-%m}", "busy: left as it is") for month in done.busy)
    return table(rows)


def _month(verb: str, removed: int, kept: int) -> str:
    return f"{verb} {removed:,}" + (f", {kept:,} still needed" if kept else "")
