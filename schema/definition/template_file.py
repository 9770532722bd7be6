"""A file with a template of messages or tasks: read, checked as a step of a sequence is, and written."""

from dataclasses import dataclass
from typing import Any, Final

from schema.definition.definition import Definition
from schema.definition.document import Document, Path, read_document
from schema.definition.library import CONTENT, MESSAGES, TASKS
from schema.definition.lint import lint_texts
from schema.definition.other_names import field_meant, type_meant
from schema.definition.problem import InvalidDefinition, Problem, did_you_mean, quoted
from schema.definition.reading import definition_in
from schema.definition.writing import step_data, yaml_of

#: The types of steps that each kind of template is for.
KINDS: Final = {"message_template": MESSAGES, "task_template": TASKS}

#: What a template says beside its content.
HEAD: Final = ("kind", "template", "type")


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """What the file of a template says."""

    key: str
    kind: str
    type: str
    content: dict[str, Any]
    """Fields of a step, as a file has them; what is as it is by default is left out."""

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data that a file may have."""
        return {"kind": self.kind, "template": self.key, "type": self.type, **self.content}

    def to_yaml(self) -> str:
        """Return the text of its file."""
        return yaml_of(self.to_data())


def kind_of_type(type_: str) -> str:
    """Return the kind of the templates for a type of steps."""
    return next(kind for kind, types in KINDS.items() if type_ in types)


def is_template_file(text: str) -> bool:
    """Return whether a text is the file of a template rather than of a sequence."""
    try:
        data = read_document(text).data
    except InvalidDefinition:
        return False
    return isinstance(data, dict) and ("kind" in data or ("template" in data and "sequence" not in data))


def parse_template(text: str) -> TemplateFile:
    """Read the file of a template, YAML or JSON.

    Raises:
        InvalidDefinition: with all the problems, not just the first.
    """
    document = read_document(text)
    data = document.data
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        _report_choice("kind", kind, KINDS, document)
        raise InvalidDefinition(document.problems())
    types = KINDS[kind]
    type_ = data.get("type")
    if not isinstance(type_, str) or type_ not in types:
        hint = type_meant(type_, types) if isinstance(type_, str) else ""
        _report_choice("type", type_, types, document, hint)
        raise InvalidDefinition(document.problems())
    for name in data:
        if name not in (*HEAD, *CONTENT[type_]):
            _report_unknown(name, type_, document)
    definition = _definition(document, type_)
    (step,) = definition.steps
    content = {name: value for name, value in step_data(step).items() if name not in ("key", "type")}
    return TemplateFile(step.key, kind, type_, content)


def lint_template(text: str) -> list[Problem]:
    """Return what is surely a mistake in the file of a template that `parse_template` takes, in line order."""
    document = read_document(text)
    lint_texts(within := _as_sequence(document, document.data["type"]))
    return _named(within)


def _definition(document: Document, type_: str) -> Definition:
    """Check the template as the step of a sequence."""
    within = _as_sequence(document, type_)
    try:
        definition = definition_in(within)
    except InvalidDefinition:
        raise InvalidDefinition([*document.problems(), *_named(within)]) from None
    if problems := document.problems():
        raise InvalidDefinition(problems)
    return definition


def _as_sequence(document: Document, type_: str) -> Document:
    """Return the template as a sequence of one step, whose lines are those of the file."""
    data = document.data
    content = {name: data[name] for name in CONTENT[type_] if name in data}
    key = {"key": data["template"]} if "template" in data else {}
    places: dict[Path, Path] = {("template",): ("key",)}
    moved: dict[Path, Path] = {
        path: ("steps", 0, *places.get(path, path)) for path in document.lines if path and path[0] in data
    }
    return Document(
        data={"sequence": "template", "steps": [{**key, "type": type_, **content}]},
        lines={("steps", 0): document.lines[()], **{to: document.lines[path] for path, to in moved.items()}},
        nodes={to: document.nodes[path] for path, to in moved.items() if path in document.nodes},
    )


def _named(within: Document) -> list[Problem]:
    """Return the problems as those of a template: what the step calls its key is the template's."""
    return [Problem(one.line, None, one.message.replace("'key'", "'template'")) for one in within.problems()]


def _report_choice(name: str, given: Any, known: Any, document: Document, hint: str = "") -> None:
    expected = f"expected {', '.join(known)}"
    if given is None:
        document.report((), f"'{name}' is missing: {expected}")
        return
    written = document.written((name,))
    hint = hint or (did_you_mean(given, known) if isinstance(given, str) else "")
    document.report((name,), f"'{name}' can't be {written}{hint}: {expected}")


def _report_unknown(name: str, type_: str, document: Document) -> None:
    known = (*HEAD, *CONTENT[type_])
    hint = field_meant(name, known)
    document.report((name,), f"unknown key {quoted(name)}{hint}: expected {', '.join(known)}; times belong to the step")
