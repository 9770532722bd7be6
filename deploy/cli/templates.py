"""`cadenza templates` and `cadenza template ...`: the library of messages and tasks."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

from deploy.cli.confirming import Yes, confirm
from deploy.cli.control import By, Reason, operator
from deploy.cli.output import Json, WorkspaceName, report
from deploy.cli.session import opened
from producers import templates as library
from producers.template_uses import behind
from producers.templates import Listed
from producers.workspaces import find_workspace
from schema.counted import counted

app = typer.Typer(help="Show, copy or delete a template of messages or tasks.", no_args_is_help=True)

Key: TypeAlias = Annotated[str, typer.Argument(metavar="TEMPLATE", help="The key of the template.")]


class Kind(StrEnum):
    """What a template is of."""

    MESSAGE = "message"
    TASK = "task"


def templates(
    kind: Annotated[Kind | None, typer.Option(help="Those of messages, or those of tasks.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """List the templates, with the sequences that use each."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        found = library.list_templates(transaction, workspace_id, kind and f"{kind.value}_template")
    report(
        as_json,
        {"templates": [asdict(one) for one in found]},
        lambda: "\n".join(_line(one) for one in found) or "no templates",
    )


@app.command()
def show(
    template: Key,
    version: Annotated[int | None, typer.Option(min=1, max=2**31 - 1, help="Its number; the newest otherwise.")] = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Print a version of a template as the file that makes it, in YAML or JSON."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        file, number = library.template_of(transaction, workspace_id, template, version)
    report(as_json, file.to_data(), lambda: f"# version {number}\n{file.to_yaml()}".rstrip("\n"))


@app.command()
def duplicate(
    template: Key,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The key of the copy.")],
    name: Annotated[str | None, typer.Option(help="Its name; that of the original otherwise.")] = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Publish the newest version of a template under another key; no step uses it yet."""
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        who = operator(session, by, None).name
        done = library.duplicate_template(transaction, workspace_id, template, new, name, who)
    report(as_json, {**asdict(done), "copy_of": template}, lambda: f"{new}: version 1 published")


@app.command()
def delete(
    template: Key,
    yes: Yes = False,
    reason: Reason = None,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Delete a template that no sequence uses, with all its versions."""
    with opened(workspace) as session:
        who = operator(session, by, reason)
        with session.database.transaction() as transaction:
            workspace_id = find_workspace(transaction, who.workspace).id
            library.require_unused(transaction, workspace_id, template)
        confirm(f"deleting template {template} removes all its versions", yes)
        with session.database.transaction() as transaction:
            library.delete_template(transaction, workspace_id, template, who)
    report(as_json, {"template": template, "deleted": True}, lambda: f"template {template} is deleted")


def _line(one: Listed) -> str:
    sequences = {use.sequence for use in one.uses}
    used = f"used by {counted(len(one.uses), 'step')} of {counted(len(sequences), 'sequence')}"
    left = behind(one.uses, one.version)
    older = f", {len(left)} of them with an older version: {', '.join(use.sequence for use in left)}" if left else ""
    by = f" by {one.applied_by}" if one.applied_by else ""
    name = f"  {one.name}" if one.name else ""
    return (
        f"{one.template}{name}  {one.kind.replace('_', ' ')}, {one.type}, version {one.version}{by};"
        f" {used if one.uses else 'unused'}{older}"
    )
