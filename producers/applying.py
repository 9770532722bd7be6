"""Files as people apply them: of sequences and of templates."""

from pathlib import Path

from engine.database import Session
from engine.errors import InvalidInput
from producers.sequences import definition_of, publish, read_sequence_text
from producers.templates import WorkspaceLibrary, publish_template
from schema.definition import InvalidDefinition
from schema.definition.template_file import TemplateFile, is_template_file, parse_template


def apply_file(session: Session, workspace_id: int, path: Path, by: str | None = None) -> None:
    """Publish what a file holds: a sequence, with what it takes from the library, or a template.

    Raises:
        InvalidInput: the file can't be read or is invalid; the message has a line for each problem.
    """
    text = read_sequence_text(path)
    if is_template_file(text):
        publish_template(session, workspace_id, template_in(path, text), by)
    else:
        definition = definition_of(path, text, WorkspaceLibrary(session, workspace_id))
        publish(session, workspace_id, definition, by=by)


def template_in(path: Path, text: str) -> TemplateFile:
    """Return the template that a file holds.

    Raises:
        InvalidInput: it is invalid; the message has a line for each problem.
    """
    try:
        return parse_template(text)
    except InvalidDefinition as error:
        raise InvalidInput(error.about(path)) from None
