"""`cadenza apply` and `cadenza schema`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.missing_channels import warn_when_published
from deploy.cli.output import Json, WorkspaceName, note, report, say
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers.sequences import Published, publish, read_definition_file
from producers.webhook_check import check_webhooks
from producers.workspaces import find_workspace
from schema.definition import Definition, json_schema


def apply(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sequence files, YAML or JSON.")],
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Validate sequence files and publish those that changed; all of them, or none."""
    definitions = _read(files)
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        for definition in definitions:
            check_webhooks(definition, session.settings.webhook_openings)
        published = [(definition, publish(transaction, workspace_id, definition)) for definition in definitions]
    missing = warn_when_published(definitions, session.settings)
    report(
        as_json,
        {
            "sequences": [
                {"sequence": definition.sequence, "version": version.number, "changed": version.changed}
                for definition, version in published
            ],
            "channels_not_configured": missing,
        },
        lambda: "\n".join(_line(definition, version) for definition, version in published),
    )


def schema() -> None:
    """Print the JSON Schema of sequence files."""
    say(json.dumps(json_schema(), indent=2))


def _read(files: list[Path]) -> list[Definition]:
    """Read them all.

    Raises:
        InvalidInput: some are invalid (every problem is printed), or two are of one sequence.
    """
    definitions: list[Definition] = []
    origin: dict[str, Path] = {}
    invalid = 0
    for file in files:
        try:
            definition = read_definition_file(file)
        except InvalidInput as error:
            note(str(error))
            invalid += 1
            continue
        if definition.sequence in origin:
            note(f"{file}: sequence {definition.sequence!r} is also in {origin[definition.sequence]}")
            invalid += 1
            continue
        origin[definition.sequence] = file
        definitions.append(definition)
    if invalid:
        raise InvalidInput(f"nothing was published: {invalid} of {len(files)} file(s) can't be used")
    return definitions


def _line(definition: Definition, version: Published) -> str:
    return f"{definition.sequence}: version {version.number} {'published' if version.changed else 'is unchanged'}"
