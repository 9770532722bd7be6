"""`cadenza sequences` and `cadenza sequence ...`: what there is, how much it is used, and what is made from it."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from deploy.cli import sequence_intake
from deploy.cli.control import By, operator
from deploy.cli.output import Json, WorkspaceName, report, say
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers import sequence_edits, sequence_list
from producers.sequence_about import about
from producers.sequence_list import Used
from producers.sequences import publish
from producers.templates import WorkspaceLibrary
from producers.workspaces import find_workspace
from schema.counted import counted
from schema.definition.references import to_file_data
from schema.definition.writing import yaml_of

app = typer.Typer(help="Show, copy, reorder or tag a sequence.", no_args_is_help=True)

app.command(name="activate")(sequence_intake.activate)
app.command(name="close")(sequence_intake.close)
app.command(name="open")(sequence_intake.reopen)

Key = Annotated[str, typer.Argument(metavar="SEQUENCE", help="The key of the sequence.")]

#: Stands for the `-` of a tag that is taken away, which would be an option.
MINUS: Final = "\N{MINUS SIGN}"


class Standing(StrEnum):
    """How sequences may stand."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"
    CLOSED = "closed"


class TagCommand(TyperCommand):
    """A command whose arguments may begin with a `-`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take `-name` for an argument; `-w` is an option of all commands."""
        return super().parse_args(ctx, [MINUS + one[1:] if _takes_away(one) else one for one in args])


def _takes_away(argument: str) -> bool:
    return argument.startswith("-") and not argument.startswith("--") and argument not in ("-", "-w")


def sequences(
    tag: Annotated[list[str] | None, typer.Option(help="Those that have this tag; several: all of them.")] = None,
    status: Annotated[
        Standing | None, typer.Option(help="Those that are so; closed: those that take no new people.")
    ] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List the sequences, with how much each is used."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        found = sequence_list.list_sequences(transaction, workspace_id, tag or (), status and status.value)
    report(as_json, {"sequences": [asdict(one) for one in found]}, lambda: _text(found))


@app.command()
def show(
    sequence: Key,
    version: Annotated[int | None, typer.Option(help="Its number; the newest otherwise.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Print a version of a sequence as the file that makes it, in YAML or JSON."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        definition = sequence_edits.version_of(transaction, workspace_id, sequence, version)
        known = about(transaction, workspace_id, sequence, version)
        data = to_file_data(definition, WorkspaceLibrary(transaction, workspace_id))
    report(as_json, data, lambda: f"# {known}\n{yaml_of(data)}".rstrip("\n"))


@app.command()
def duplicate(
    sequence: Key,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The key of the copy.")],
    name: Annotated[str | None, typer.Option(help="Its name; that of the original and (copy) otherwise.")] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print its file, and publish nothing.")] = False,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Publish the newest version of a sequence under another key; nobody is enrolled in it."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        original = sequence_edits.version_of(transaction, workspace_id, sequence)
        copy = sequence_edits.copy_of(original, new, name)
        if not only_print:
            sequence_edits.publish_copy(transaction, workspace_id, copy, by=operator(session, by, None).name)
        data = to_file_data(copy, WorkspaceLibrary(transaction, workspace_id))
    if only_print:
        say(yaml_of(data).rstrip("\n"))
        return
    report(as_json, {"sequence": new, "version": 1, "copy_of": sequence}, lambda: f"{new}: version 1 published")


@app.command()
def reorder(
    sequence: Key,
    step: Annotated[str, typer.Argument(help="The key of the step that moves.")],
    before: Annotated[str | None, typer.Option(metavar="STEP", help="It comes right before this one.")] = None,
    after: Annotated[str | None, typer.Option(metavar="STEP", help="It comes right after this one.")] = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Publish a new version with a step at another place; enrollments that run keep theirs."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        newest = sequence_edits.version_of(transaction, workspace_id, sequence, lock=True)
        definition = sequence_edits.reordered(newest, step, before=before, after=after)
        done = publish(transaction, workspace_id, definition, by=operator(session, by, None).name)
    document = {
        "sequence": sequence,
        "version": done.number,
        "changed": done.changed,
        "steps": [one.key for one in definition.walk()],
    }
    said = f"{sequence}: version {done.number} {'published' if done.changed else 'is unchanged'}"
    report(as_json, document, lambda: said)


@app.command(cls=TagCommand)
def tag(
    sequence: Key,
    changes: Annotated[list[str], typer.Argument(metavar="+TAG|-TAG...", help="Tags to give and to take away.")],
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Give a sequence tags, or take some away; a file sets them anew when its own tags change."""
    add = [one[1:] for one in changes if one.startswith("+")]
    remove = [one[1:] for one in changes if one.startswith(MINUS)]
    if len(add) + len(remove) != len(changes):
        raise InvalidInput("tag: write +TAG to give one and -TAG to take one away")
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        tags = sequence_list.change_tags(transaction, workspace_id, sequence, add, remove)
    report(as_json, {"sequence": sequence, "tags": tags}, lambda: f"{sequence}: {', '.join(tags) or 'no tags'}")


def _text(found: list[Used]) -> str:
    return "\n".join(_line(one) for one in found) or "no sequences"


def _line(one: Used) -> str:
    last = f"{one.last_enrolled_at:%Y-%m-%d %H:%M} UTC" if one.last_enrolled_at else "never"
    tags = f"  [{', '.join(one.tags)}]" if one.tags else ""
    status, held = one.status, ""
    if one.held_since is not None:
        status = f"paused since {one.held_since:%Y-%m-%d %H:%M} UTC by {one.held_by}"
        held = " but held"
    if one.closed_at is not None:
        status += f", closed to new people since {one.closed_at:%Y-%m-%d %H:%M} UTC by {one.closed_by}"
    about_it = f"    {one.description.splitlines()[0]}\n" if one.description else ""
    return (
        f"{one.sequence}  {one.name}{tags}  {status}, version {one.version}, {counted(one.steps, 'step')}\n{about_it}"
        f"    {one.active:,} active{held}, {one.paused:,} paused, {one.completed:,} completed,"
        f" {one.cancelled:,} cancelled; {counted(one.messages_sent, 'message')} sent,"
        f" {counted(one.tasks_open, 'task')} open; last enrolled {last}"
        + (f"; made by {one.created_by}" if one.created_by else "")
    )
