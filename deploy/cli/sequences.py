"""`cadenza apply` and `cadenza schema`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.control import By, operator
from deploy.cli.missing_channels import warn_when_published
from deploy.cli.output import Json, WorkspaceName, note, report, say
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers.sequences import Published, definition_of, publish, read_sequence_text, sequence_keys
from producers.webhook_check import check_webhooks
from producers.workspaces import find_workspace
from schema.counted import counted
from schema.definition import Definition, Problem, json_schema, lint, unknown_sequences
from schema.states import SequenceStatus


def apply(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sequence files, YAML or JSON.")],
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing if there is a warning.")] = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="New sequences take nobody before `cadenza sequence activate KEY`.")
    ] = False,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Validate sequence files and publish those that changed; all of them, or none."""
    read = _read(files)
    definitions = [one.definition for one in read]
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        for definition in definitions:
            check_webhooks(definition, session.settings.webhook_openings)
        warnings = _warnings(read, sequence_keys(transaction, workspace_id))
        if strict and warnings:
            _note(warnings, "error")
            raise InvalidInput(f"nothing was published: {counted(len(warnings), 'warning')}, and --strict takes none")
        who = operator(session, by, None).name
        published = [
            (definition, publish(transaction, workspace_id, definition, by=who, draft=draft))
            for definition in definitions
        ]
    if not as_json:
        _note(warnings, "warning")
    missing = warn_when_published(definitions, session.settings)
    report(
        as_json,
        {
            "sequences": [
                {
                    "sequence": definition.sequence,
                    "version": version.number,
                    "changed": version.changed,
                    "status": version.status.value,
                }
                for definition, version in published
            ],
            "channels_not_configured": missing,
            "warnings": [
                {"file": file, "line": problem.line, "step": problem.step, "message": problem.message}
                for file, problem in warnings
            ],
        },
        lambda: "\n".join(_line(definition, version) for definition, version in published),
    )


def schema() -> None:
    """Print the JSON Schema of sequence files."""
    say(json.dumps(json_schema(), indent=2))


def _note(warnings: list[tuple[Path, Problem]], kind: str) -> None:
    for file, problem in warnings:
        note(f"{file}:{problem.line}: {kind}: {problem}")


@dataclass(frozen=True, slots=True)
class _Read:
    """A sequence file."""

    file: Path
    text: str
    definition: Definition


def _warnings(read: list[_Read], published: list[str]) -> list[tuple[Path, Problem]]:
    """Return what is surely a mistake in these files, file by file in line order.

    `published` are the keys of the workspace's sequences; the files may also name each other.
    """
    known = {*published, *(one.definition.sequence for one in read)}
    return [
        (one.file, problem)
        for one in read
        for problem in sorted(
            [*lint(one.text), *unknown_sequences(one.text, known)], key=lambda problem: problem.line or 0
        )
    ]


def _read(files: list[Path]) -> list[_Read]:
    """Read them all.

    Raises:
        InvalidInput: some are invalid (every problem is printed), or two are of one sequence.
    """
    read: list[_Read] = []
    origin: dict[str, Path] = {}
    invalid = 0
    for file in files:
        try:
            text = read_sequence_text(file)
            definition = definition_of(file, text)
        except InvalidInput as error:
            note(str(error))
            invalid += 1
            continue
        if definition.sequence in origin:
            note(f"{file}: sequence {definition.sequence!r} is also in {origin[definition.sequence]}")
            invalid += 1
            continue
        origin[definition.sequence] = file
        read.append(_Read(file, text, definition))
    if invalid:
        raise InvalidInput(f"nothing was published: {invalid} of {counted(len(files), 'file')} can't be used")
    return read


def _line(definition: Definition, version: Published) -> str:
    said = f"{definition.sequence}: version {version.number} {'published' if version.changed else 'is unchanged'}"
    if version.status != SequenceStatus.DRAFT:
        return said
    return f"{said}; it is a draft, which takes nobody before `cadenza sequence activate {definition.sequence}`"
