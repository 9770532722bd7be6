"""`cadenza suppressions`: the do-not-contact list."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer

from deploy.cli.control import By, Reason, operator
from deploy.cli.output import IN_PART, SHOWN, Json, WorkspaceName, note, report
from deploy.cli.session import opened
from engine.errors import InvalidInput, StorageFull
from producers import suppression_list
from producers.suppression_list import Suppression
from producers.workspaces import find_workspace
from schema.counted import counted


class ChannelName(StrEnum):
    """A channel."""

    EMAIL = "email"
    SMS = "sms"


Channel = Annotated[
    ChannelName | None, typer.Option(help="email or sms; by the form of the address otherwise.", show_default=False)
]
Address = Annotated[str, typer.Argument(help="An email address, or a phone number.")]

app = typer.Typer(help="List, add, remove, import and export who must not be contacted.", no_args_is_help=True)


@app.command(name="list")
def list_all(
    channel: Channel = None,
    address: Annotated[str | None, typer.Option(help="Only this address.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List the suppressed addresses, and the people who opted out."""
    with opened(workspace) as session, session.database.transaction(snapshot=True) as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        found = suppression_list.listed(transaction, mine, channel.value if channel else None, address)
        shown = list(found if as_json else islice(found, SHOWN + 1))
    report(as_json, {"suppressions": [asdict(one) for one in shown]}, lambda: _text(shown))


@app.command()
def add(
    address: Address,
    channel: Channel = None,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Suppress an address: nothing is sent to it any more."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        who = operator(session, by, reason)
        added = suppression_list.add(transaction, who, channel.value if channel else None, address)
    said = "is suppressed" if added else "was suppressed already: nothing is new"
    report(as_json, {"address": address, "added": added}, lambda: f"{address} {said}")


@app.command()
def remove(
    address: Address,
    channel: Channel = None,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Allow an address again, and the person who has it. Needs --reason, which the history keeps."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        who = operator(session, by, reason)
        removed = suppression_list.remove(transaction, who, channel.value if channel else None, address)
    said = f"may be contacted again (was: {', '.join(removed)})" if removed else "was not suppressed: nothing is new"
    report(as_json, {"address": address, "removed": removed}, lambda: f"{address} {said}")


@app.command(name="import")
def import_file(
    file: Annotated[
        str, typer.Argument(help="CSV or NDJSON with email, phone, or channel and address; - for standard input.")
    ],
    rejects: Annotated[
        str | None, typer.Option(metavar="FILE", help="The file for rejected lines; FILE.rejected.csv otherwise.")
    ] = None,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Suppress the addresses of a file, each once; rejected lines come back with their reasons."""
    with opened(workspace) as session:
        who = operator(session, by, reason)
        done = suppression_list.import_file(session.database, who, file, rejects_path=rejects)
    report(
        as_json,
        asdict(done),
        lambda: (
            f"{counted(done.lines, 'line')}: {done.added:,} added, {done.known:,} on the list already,"
            f" {done.rejected:,} rejected" + (f": see {done.rejects_file}" if done.rejects_file else "")
        ),
    )
    if done.rejected:
        raise typer.Exit(IN_PART)


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="The CSV file to write; - for standard output.")] = "-",
    workspace: WorkspaceName = None,
) -> None:
    """Write the list as CSV, as `import` reads it."""
    with opened(workspace) as session, session.database.transaction(snapshot=True) as transaction:
        mine = find_workspace(transaction, session.settings.workspace)
        with _target(file) as target:
            count = suppression_list.export(transaction, mine, target)
    note(f"cadenza: {counted(count, 'suppression')} exported")


@contextmanager
def _target(file: str) -> Iterator[TextIO]:
    if file == "-":
        yield sys.stdout
        return
    path = Path(file)
    if path.exists():
        raise InvalidInput(f"{file} is there already: name another file, or remove it first")
    try:
        with path.open("w", encoding="utf-8", newline="") as target:
            yield target
    except OSError as error:
        raise StorageFull(f"{file} can't be written: {error.strerror}") from None


def _text(found: list[Suppression]) -> str:
    lines = [_line(one) for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append("and more: --json lists all")
    return "\n".join(lines) or "nobody is suppressed"


def _line(one: Suppression) -> str:
    whom = one.address or "no address now"
    person = f"  contact {one.contact_id}, whatever the address" if one.contact_id is not None else ""
    why = f"{one.reason}: {one.note}" if one.note else one.reason
    return f"{one.created_at:%Y-%m-%d %H:%M} UTC  {one.channel:<5}  {whom}  {why}{person}"
