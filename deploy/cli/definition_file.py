"""A sequence file for commands that publish nothing; templates are those of the workspace."""

from pathlib import Path

from deploy.cli.apply_files import key_if_of_templates
from deploy.cli.session import opened
from engine.errors import InvalidInput
from producers.sequences import definition_of, read_sequence_text
from producers.templates import WorkspaceLibrary
from producers.workspaces import find_workspace
from schema.definition import Definition
from schema.definition.template_file import is_template_file


def definition_in_file(file: Path, workspace: str | None = None) -> Definition:
    """Return the definition that a sequence file holds. The database is asked only if a step refers to a template.

    Raises:
        InvalidInput: the file can't be read or is invalid, or is one of a template.
    """
    text = read_sequence_text(file)
    if is_template_file(text):
        raise InvalidInput(f"{file}: is the file of a template: name a sequence whose steps refer to it")
    if key_if_of_templates(text) is None:
        return definition_of(file, text)
    with opened(workspace) as session, session.database.transaction() as transaction:
        workspace_id = find_workspace(transaction, session.settings.workspace).id
        return definition_of(file, text, WorkspaceLibrary(transaction, workspace_id))
