"""`cadenza apply` and `cadenza schema`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.apply_files import read_sources, warnings_of, with_library
from deploy.cli.control import By, operator
from deploy.cli.missing_channels import warn_when_published
from deploy.cli.output import Json, WorkspaceName, note, report, say
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers.sequences import Published, publish, sequence_keys
from producers.template_uses import Use, behind, uses
from producers.templates import PublishedTemplate, WorkspaceLibrary, publish_template
from producers.webhook_check import check_webhooks
from producers.workspaces import find_workspace
from schema.counted import counted
from schema.definition import Definition, Problem, json_schema
from schema.states import SequenceStatus


def apply(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files of sequences and templates, YAML or JSON.")
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing if there is a warning.")] = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="New sequences take nobody before `cadenza sequence activate KEY`.")
    ] = False,
    by: By = None,
    workspace: WorkspaceName = None,
    as_json: Json = False,
) -> None:
    """Validate files of sequences and templates and publish those that changed; all of them, or none."""
    sources = read_sources(files)
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        who = operator(session, by, None).name
        templates = [
            publish_template(transaction, workspace_id, one.template, who)
            for one in sources
            if one.template is not None
        ]
        library = WorkspaceLibrary(transaction, workspace_id)
        sources = with_library(sources, library)
        definitions = [one.definition for one in sources if one.definition is not None]
        for definition in definitions:
            check_webhooks(definition, session.settings.webhook_openings)
        warnings = warnings_of(sources, sequence_keys(transaction, workspace_id), library)
        if strict and warnings:
            _note(warnings, "error")
            raise InvalidInput(f"nothing was published: {counted(len(warnings), 'warning')}, and --strict takes none")
        published = [
            (definition, publish(transaction, workspace_id, definition, by=who, draft=draft))
            for definition in definitions
        ]
        used = uses(transaction, workspace_id) if templates else {}
    if not as_json:
        _note(warnings, "warning")
    missing = warn_when_published(definitions, session.settings)
    left = {one.template: behind(used.get(one.template, []), one.version) for one in templates}
    report(
        as_json,
        {
            "sequences": [
                {
                    "sequence": definition.sequence,
                    "version": version.number,
                    "changed": version.changed,
                    "status": version.status.value,
                    "exit_on": list(definition.exit_on),
                }
                for definition, version in published
            ],
            "templates": [
                {**asdict(one), "sequences_behind": [use.sequence for use in left[one.template]]} for one in templates
            ],
            "channels_not_configured": missing,
            "warnings": [
                {"file": file, "line": problem.line, "step": problem.step, "message": problem.message}
                for file, problem in warnings
            ],
        },
        lambda: "\n".join(
            [
                *(_template_line(one, left[one.template]) for one in templates),
                *(_line(definition, version) for definition, version in published),
            ]
        ),
    )


def schema() -> None:
    """Print the JSON Schema of sequence files."""
    say(json.dumps(json_schema(), indent=2))


def _note(warnings: list[tuple[Path, Problem]], kind: str) -> None:
    for file, problem in warnings:
        note(f"{file}:{problem.line}: {kind}: {problem}")


def _line(definition: Definition, version: Published) -> str:
    said = [f"{definition.sequence}: version {version.number} {'published' if version.changed else 'is unchanged'}"]
    if version.status == SequenceStatus.DRAFT:
        said.append(f"it is a draft, which takes nobody before `cadenza sequence activate {definition.sequence}`")
    return "; ".join([*said, *([_exits(definition)] if version.changed else [])])


def _exits(definition: Definition) -> str:
    """Return what ends it early, as `exit_on` has it: a file that leaves it out has the default."""
    if not definition.exit_on:
        return "nothing but an opt-out ends it early"
    asked = (
        "" if "replied" in definition.exit_on or not definition.asks_for_reply else ", but no reply, as it asks for one"
    )
    return f"ends early on {', '.join(definition.exit_on)}{asked}"


def _template_line(one: PublishedTemplate, left: list[Use]) -> str:
    kind = one.kind.replace("_", " ")
    said = f"{one.template}: version {one.version} of the {kind} {'published' if one.changed else 'is unchanged'}"
    if not left:
        return said
    older = {one.version for one in left}
    which = f"version {older.pop()}" if len(older) == 1 else "older versions"
    use, are = ("uses", "it is") if len(left) == 1 else ("use", "they are")
    keys = ", ".join(one.sequence for one in left)
    return f"{said}; {counted(len(left), 'sequence')} still {use} {which} until {are} applied again: {keys}"
