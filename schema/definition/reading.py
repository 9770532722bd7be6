"""From the text of a sequence file to its definition, or to all that is wrong with it."""

from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from schema.definition.calendar import DateAnchor, QuietHours, Window
from schema.definition.definition import Definition, Header
from schema.definition.document import Document, Path, Unquoted, read_document
from schema.definition.problem import InvalidDefinition, Problem, did_you_mean, quoted
from schema.definition.steps import MODELS
from schema.definition.templates import check_template
from schema.definition.timing import check_timing
from schema.states import STEP_TYPES

#: The most that Twilio takes (its error 21617), in characters.
MAX_SMS: Final = 1_600
MAX_STEPS: Final = 200

#: Values that are mappings of their own.
NESTED: Final[dict[str, type[BaseModel]]] = {
    "window": Window,
    "quiet_hours": QuietHours,
    "before": DateAnchor,
    "after": DateAnchor,
}


def parse(text: str) -> Definition:
    """Read a sequence file, YAML or JSON.

    Raises:
        InvalidDefinition: with all the problems, not just the first.
    """
    document = read_document(text)
    if not isinstance(document.data, dict):
        raise InvalidDefinition([Problem(1, None, "expected a mapping with the keys sequence and steps, not a list")])
    header = {key: value for key, value in document.data.items() if key != "steps"}
    _check_fields(Header, header, (), document)
    _check_steps(document.data.get("steps"), header, document)
    if problems := document.problems():
        raise InvalidDefinition(problems)
    return Definition.model_validate(document.data)


def _check_steps(steps: Any, header: dict[str, Any], document: Document) -> None:
    if not isinstance(steps, list) or not steps:
        what = "is missing" if steps is None else "is empty" if steps == [] else "is not a list"
        document.report(("steps",), f"'steps' {what}: expected a list of 1 to {MAX_STEPS} steps")
        return
    if len(steps) > MAX_STEPS:
        document.report(("steps",), f"{len(steps)} steps: expected at most {MAX_STEPS}")
    seen: dict[str, int | None] = {}
    for number, step in enumerate(steps):
        path: Path = ("steps", number)
        if not isinstance(step, dict):
            document.report(path, f"a step is a mapping with key and type, not {document.written(path)}")
            continue
        if _check_type(step, path, document):
            _check_fields(MODELS[step["type"]], step, path, document)
            _check_templates(step, path, document)
            check_timing(step, header, path, document, first=number == 0)
        key = step.get("key")
        if isinstance(key, str):
            if key in seen:
                document.report((*path, "key"), f"another step has the key {quoted(key)}, on line {seen[key]}")
            seen.setdefault(key, document.line((*path, "key")))


def _check_type(step: dict[str, Any], path: Path, document: Document) -> bool:
    """Whether the step is of a type that can be checked further."""
    kind = step.get("type")
    if isinstance(kind, str) and kind in MODELS:
        return True
    supported = " or ".join(MODELS)
    if kind is None:
        document.report(path, f"'type' is missing: expected {supported}")
    elif isinstance(kind, str) and kind in STEP_TYPES:
        document.report((*path, "type"), f"steps of type {kind} are not supported yet: expected {supported}")
    else:
        written = document.written((*path, "type"))
        hint = did_you_mean(kind, MODELS) if isinstance(kind, str) else ""
        document.report((*path, "type"), f"unknown type {written}{hint}: expected {supported}")
    return False


def _check_fields(model: type[BaseModel], given: dict[str, Any], path: Path, document: Document) -> None:
    nested = {name for name in NESTED if name in _fields(model) and isinstance(given.get(name), dict)}
    for name in sorted(nested):
        _check_fields(NESTED[name], given[name], (*path, name), document)
    try:
        model.model_validate(given)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            place = (*path, *details["loc"])
            if not details["loc"]:
                document.report(path, f"'{path[-1]}': {details['ctx']['error']}")
            elif details["type"] != "default_factory_not_called" and details["loc"][0] not in nested:
                document.report(place, _describe(details, model, document.written(place)))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields by the names that they have in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _describe(details: ErrorDetails, model: type[BaseModel], written: str) -> str:
    name, kind, value = str(details["loc"][0]), details["type"], details["input"]
    known = _fields(model)
    if kind == "extra_forbidden":
        return f"unknown key {quoted(name)}{did_you_mean(name, known)}: expected {', '.join(known)}"
    expected = known[name].description
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
        value = step.get(name)
        sources = [((*path, name), value)] if isinstance(value, str) else []
        if isinstance(value, list):
            sources = [((*path, name, number), item) for number, item in enumerate(value) if isinstance(item, str)]
        for place, source in sources:
            checked = check_template(source, html=name == "html")
            for problem in checked.problems:
                document.report(place, f"'{name}': {problem.message}", document.text_line(place, problem.line))
            if source and not source.strip():
                document.report(place, f"'{name}' is only white space")
            if name == "body" and (least := len(checked.least.strip())) > MAX_SMS:
                message = f"'body' has at least {least:,} characters: an SMS takes at most {MAX_SMS:,}"
                document.report(place, message)
    if step["type"] == "email" and step.get("text") is None and step.get("html") is None:
        document.report(path, "'text' and 'html' are both missing: expected at least one of them")
