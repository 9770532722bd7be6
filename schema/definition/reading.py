"""From the text of a sequence file to its definition, or to all that is wrong with it."""

from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schema.definition.definition import Definition, Header
from schema.definition.distances import check_distances
from schema.definition.document import Document, Path, Unquoted, read_document
from schema.definition.kinds import MODELS
from schema.definition.problem import InvalidDefinition, Problem, did_you_mean, quoted
from schema.definition.templates import check_template
from schema.states import STEP_TYPES

#: The most that Twilio takes (its error 21617), in characters.
MAX_SMS: Final = 1_600
MAX_STEPS: Final = 200

#: Keys that later versions know.
LATER: Final = {"timezone": "time zones", "window": "sending windows", "at": "local times"}


def parse(text: str) -> Definition:
    """Read a sequence file, YAML or JSON.

    Raises:
        InvalidDefinition: with all the problems, not just the first.
    """
    document = read_document(text)
    if not isinstance(document.data, dict):
        raise InvalidDefinition([Problem(1, None, "expected a mapping with the keys sequence and steps, not a list")])
    header = {key: value for key, value in document.data.items() if key != "steps"}
    _check_later(header, (), document)
    _check_fields(Header, header, (), document)
    _check_template(header.get("assignee"), "assignee", ("assignee",), document)
    _check_all_steps(document.data.get("steps"), document)
    if problems := document.problems():
        raise InvalidDefinition(problems)
    return Definition.model_validate(document.data)


def _check_all_steps(steps: Any, document: Document) -> None:
    if not isinstance(steps, list) or not steps:
        what = "is missing" if steps is None else "is empty" if steps == [] else "is not a list"
        document.report(("steps",), f"'steps' {what}: expected a list of 1 to {MAX_STEPS} steps")
        return
    seen: dict[str, int | None] = {}
    total = _check_steps(steps, ("steps",), document, seen)
    if total > MAX_STEPS:
        document.report(("steps",), f"{total} steps: expected at most {MAX_STEPS}")
    check_distances(steps, document)


def _check_steps(steps: list[Any], place: Path, document: Document, seen: dict[str, int | None]) -> int:
    """Check each of them, and what is within; tell how many there are."""
    total = len(steps)
    for number, step in enumerate(steps):
        path: Path = (*place, number)
        if not isinstance(step, dict):
            document.report(path, f"a step is a mapping with key and type, not {document.written(path)}")
            continue
        _check_later(step, path, document)
        if _check_type(step, path, document):
            _check_fields(MODELS[step["type"]], step, path, document)
            _check_templates(step, path, document)
        key = step.get("key")
        if isinstance(key, str):
            if key in seen:
                document.report((*path, "key"), f"another step has the key {quoted(key)}, on line {seen[key]}")
            seen.setdefault(key, document.line((*path, "key")))
    return total


def _check_type(step: dict[str, Any], path: Path, document: Document) -> bool:
    """Whether the step is of a type that can be checked further."""
    kind = step.get("type")
    if isinstance(kind, str) and kind in MODELS:
        return True
    supported = ", ".join(MODELS)
    if kind is None:
        document.report(path, f"'type' is missing: expected {supported}")
    elif isinstance(kind, str) and kind in STEP_TYPES:
        document.report((*path, "type"), f"steps of type {kind} are not supported yet: expected {supported}")
    else:
        written = document.written((*path, "type"))
        hint = did_you_mean(kind, MODELS) if isinstance(kind, str) else ""
        document.report((*path, "type"), f"unknown type {written}{hint}: expected {supported}")
    return False


def _check_later(given: dict[str, Any], path: Path, document: Document) -> None:
    for key, feature in LATER.items():
        if key in given:
            document.report((*path, key), f"'{key}' ({feature}) is not supported yet: leave it out")


def _check_fields(model: type[BaseModel], given: dict[str, Any], path: Path, document: Document) -> None:
    try:
        model.model_validate({key: value for key, value in given.items() if key not in LATER})
    except ValidationError as error:
        for details in error.errors(include_url=False):
            if details["type"] != "default_factory_not_called":
                place = (*path, *details["loc"])
                document.report(place, _describe(details, model, document.written(place)))


def _describe(details: ErrorDetails, model: type[BaseModel], written: str) -> str:
    name, kind, value = str(details["loc"][0]), details["type"], details["input"]
    if kind == "extra_forbidden":
        known = list(model.model_fields)
        return f"unknown key {quoted(name)}{did_you_mean(name, known)}: expected {', '.join(known)}"
    expected = model.model_fields[name].description
    if kind == "missing":
        return f"'{name}' is missing: expected {expected}"
    if kind == "value_error":
        return f"'{name}': {details['ctx']['error']}"
    if kind == "string_type" and isinstance(value, (Unquoted, bool)):
        taken = value.kind if isinstance(value, Unquoted) else "yes or no"
        return f"'{name}' must be text, but YAML takes {written} for {taken}: write it in quotes"
    return f"'{name}' can't be {written}: expected {expected}"


def _check_templates(step: dict[str, Any], path: Path, document: Document) -> None:
    for name in MODELS[step["type"]].templates:
        _check_template(step.get(name), name, (*path, name), document)
    if step["type"] == "email" and step.get("text") is None and step.get("html") is None:
        document.report(path, "'text' and 'html' are both missing: expected at least one of them")


def _check_template(value: Any, name: str, path: Path, document: Document) -> None:
    """Check a template, or a list of them."""
    sources = [(path, value)] if isinstance(value, str) else []
    if isinstance(value, list):
        sources = [((*path, number), item) for number, item in enumerate(value) if isinstance(item, str)]
    for place, source in sources:
        checked = check_template(source, html=name == "html")
        for problem in checked.problems:
            document.report(place, f"'{name}': {problem.message}", document.text_line(place, problem.line))
        if source and not source.strip():
            document.report(place, f"'{name}' is only white space")
        if name == "body" and (least := len(checked.least.strip())) > MAX_SMS:
            message = f"'body' has at least {least:,} characters: an SMS takes at most {MAX_SMS:,}"
            document.report(place, message)
