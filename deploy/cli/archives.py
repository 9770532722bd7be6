"""`cadenza archives`, with `detach` and `attach`."""

import re
from datetime import date
from typing import Annotated, Any

import typer

from deploy.cli.output import IN_PART, Json, note, report
from deploy.cli.session import opened
from engine.errors import InvalidInput
from engine.outbox.cold_months import ArchivedMonth, tables_of
from producers import cold_months

MonthName = Annotated[str, typer.Argument(metavar="MONTH", help="The month, such as 2025-03.")]

app = typer.Typer(help="List, detach and attach months of archived steps.", invoke_without_command=True)


@app.callback()
def archives(context: typer.Context, as_json: Json = False) -> None:
    """List the months of archived steps, which `cadenza retain` makes; detach and attach them."""
    if context.invoked_subcommand is not None:
        return
    with opened() as session:
        found = cold_months.list_months(session.database)
    report(as_json, {"archives": [_document(month) for month in found]}, lambda: _text(found))


@app.command()
def detach(month: MonthName, as_json: Json = False) -> None:
    """Turn a month into plain tables, to dump and to drop; `explain` then says that its steps are detached."""
    first = _first_of(month)
    with opened() as session:
        done = cold_months.detach(session.database, first)
    if not done:
        note(f"cadenza: a transaction reads the archive (a backup?): run `cadenza archives detach {month}` again later")
        raise typer.Exit(IN_PART)
    rows, attempts = tables_of(first)
    commands = [
        f'pg_dump "$CADENZA_DATABASE_URL" -Fc --file=archive-{month}.dump --table={rows} --table={attempts}',
        f'psql "$CADENZA_DATABASE_URL" --command="DROP TABLE {rows}, {attempts}"',
        f'pg_restore --dbname="$CADENZA_DATABASE_URL" archive-{month}.dump && cadenza archives attach {month}',
    ]
    document = {"month": month, "state": "detached", "tables": [rows, attempts], "commands": commands}
    report(
        as_json,
        document,
        lambda: "\n".join(
            [
                f"{month} is detached: its steps are in {rows} and {attempts}",
                "dump them:",
                f"  {commands[0]}",
                "drop them when the dump is safe:",
                f"  {commands[1]}",
                "bring them back:",
                f"  {commands[2]}",
            ]
        ),
    )


@app.command()
def attach(month: MonthName, as_json: Json = False) -> None:
    """Make the tables of a detached month part of the archive again, after a check that nothing is missing."""
    first = _first_of(month)
    with opened() as session:
        cold_months.attach(session.database, first)
    report(as_json, {"month": month, "state": "attached"}, lambda: f"{month} is attached")


def _first_of(month: str) -> date:
    """Return the first day of a month.

    Raises:
        InvalidInput: it is no month.
    """
    found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", month, re.ASCII)
    if found is None or found[1] == "0000":
        raise InvalidInput(f"{month!r} is no month: write year and month, such as 2025-03")
    return date(int(found[1]), int(found[2]), 1)


def _document(month: ArchivedMonth) -> dict[str, Any]:
    return {
        "month": f"{month.month:%Y-%m}",
        "state": month.state.value,
        "detached_at": month.detached_at,
        "rows": month.rows,
        "attempts": month.attempts,
        "bytes": month.bytes,
        "tables": list(tables_of(month.month)),
    }


def _text(found: list[ArchivedMonth]) -> str:
    if not found:
        return "no steps are archived: `cadenza retain --months 18` archives them"
    lines = ["month    state     rows          attempts      MB"]
    lines += [
        f"{one.month:%Y-%m}  {one.state.value:<8}  {one.rows:<12,}  {one.attempts:<12,}  {one.bytes / 1e6:,.1f}"
        for one in found
    ]
    return "\n".join(lines)
