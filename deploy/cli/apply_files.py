"""The files that `cadenza apply` is given: sequences, and templates of messages and tasks."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deploy.cli.output import note
from engine.errors import InvalidInput
from producers.applying import template_in
from producers.sequences import definition_of, read_sequence_text
from schema.counted import counted
from schema.definition import Definition, InvalidDefinition, Problem, lint, unknown_sequences
from schema.definition.document import read_document
from schema.definition.library import Library, refers_to_templates
from schema.definition.template_file import TemplateFile, is_template_file, lint_template


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and what it holds."""

    file: Path
    text: str
    template: TemplateFile | None = None
    definition: Definition | None = None
    """None: the file is one of a template, or of a sequence that takes something from templates."""


def read_sources(files: list[Path]) -> list[Source]:
    """Read all files. Sequences that refer to templates are checked by `with_library`.

    Raises:
        InvalidInput: some are invalid (every problem is printed), or two are of one sequence or template.
    """
    sources: list[Source] = []
    origin: dict[tuple[str, Any], Path] = {}
    for file in files:
        try:
            source, what = _read(file)
        except InvalidInput as error:
            note(str(error))
            continue
        if what in origin:
            note(f"{file}: {what[0]} {what[1]!r} is also in {origin[what]}")
            continue
        origin[what] = file
        sources.append(source)
    _require_all(len(sources), len(files))
    return sources


def with_library(sources: list[Source], library: Library) -> list[Source]:
    """Return the files, each sequence with what it takes from the library.

    Raises:
        InvalidInput: some are invalid; every problem is printed.
    """
    complete: list[Source] = []
    for source in sources:
        if source.template is not None or source.definition is not None:
            complete.append(source)
            continue
        try:
            complete.append(replace(source, definition=definition_of(source.file, source.text, library)))
        except InvalidInput as error:
            note(str(error))
    _require_all(len(complete), len(sources))
    return complete


def warnings_of(sources: list[Source], published: Collection[str], library: Library) -> list[tuple[Path, Problem]]:
    """Return what is surely a mistake in these files, file by file in line order.

    `published` are the keys of the workspace's sequences; the files may also name each other.
    """
    known = {*published, *(one.definition.sequence for one in sources if one.definition is not None)}
    return [
        (one.file, problem)
        for one in sources
        for problem in sorted(_warnings(one, known, library), key=lambda problem: problem.line or 0)
    ]


def _warnings(source: Source, known: Collection[str], library: Library) -> list[Problem]:
    if source.template is not None:
        return lint_template(source.text)
    return [*lint(source.text, library), *unknown_sequences(source.text, known)]


def _read(file: Path) -> tuple[Source, tuple[str, Any]]:
    """Return a file, and what it is of: a kind and a key."""
    text = read_sequence_text(file)
    if is_template_file(text):
        template = template_in(file, text)
        return Source(file, text, template=template), ("template", template.key)
    if (key := key_if_of_templates(text)) is not None:
        return Source(file, text), ("sequence", key)
    definition = definition_of(file, text)
    return Source(file, text, definition=definition), ("sequence", definition.sequence)


def key_if_of_templates(text: str) -> str | None:
    """Return the key of a sequence that refers to templates; None: it does not, or it has no key."""
    try:
        document = read_document(text)
    except InvalidDefinition:
        return None
    key = document.data.get("sequence") if refers_to_templates(document) else None
    return key if isinstance(key, str) else None


def _require_all(usable: int, files: int) -> None:
    if usable < files:
        raise InvalidInput(f"nothing was published: {files - usable} of {counted(files, 'file')} can't be used")
