"""`cadenza workspace add` and `cadenza workspace list`."""

from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli.output import Json, report
from deploy.cli.session import opened
from producers import workspaces

app = typer.Typer(help="Make and list workspaces.", no_args_is_help=True)


@app.command()
def add(
    key: Annotated[str, typer.Argument(help="What the workspace is called in commands and settings.")],
    name: Annotated[str | None, typer.Option(help="For people to read; the key otherwise.")] = None,
    timezone: Annotated[str | None, typer.Option(help="An IANA name, as Europe/Paris; UTC otherwise.")] = None,
    region: Annotated[str | None, typer.Option(help="Whose national phone numbers are meant; US otherwise.")] = None,
    as_json: Json = False,
) -> None:
    """Make a workspace."""
    with opened() as session, session.database.transaction() as transaction:
        made = workspaces.add(transaction, key, name=name, timezone=timezone, region=region)
    report(as_json, asdict(made), lambda: f"workspace {made.key} made; its public id is {made.public_id}")


@app.command(name="list")
def list_all(as_json: Json = False) -> None:
    """List the workspaces."""
    with opened() as session, session.database.transaction() as transaction:
        found = workspaces.list_workspaces(transaction)
    report(
        as_json,
        {"workspaces": [asdict(workspace) for workspace in found]},
        lambda: "\n".join(
            f"{workspace.key}  {workspace.name}  {workspace.timezone}  {workspace.region}  {workspace.public_id}"
            for workspace in found
        ),
    )
