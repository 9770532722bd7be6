"""From the text of a sequence file to its definition, or to all that is wrong with it."""

from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from schema.definition.actions import DEEDS
from schema.definition.calendar import DateAnchor, QuietHours, Window
from schema.definition.definition import Definition, Header
from schema.definition.distances import check_distances
from schema.definition.document import Document, Path, Unquoted, read_document
from schema.definition.kinds import MODELS
from schema.definition.problem import InvalidDefinition, Problem, did_you_mean, quoted
from schema.definition.question_check import WITHIN, check_question
from schema.definition.templates import check_template
from schema.definition.timing import check_timing
from schema.states import STEP_TYPES

#: The most that Twilio takes (its error 21617), in characters.
MAX_SMS: Final = 1_600
MAX_STEPS: Final = 200

#: The branches of a condition.
BRANCHES: Final = ("then", "else")

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
    _check_template(header.get("assignee"), "assignee", ("assignee",), document)
    _check_all_steps(document.data.get("steps"), header, document)
    if problems := document.problems():
        raise InvalidDefinition(problems)
    return Definition.model_validate(document.data)


def _check_all_steps(steps: Any, header: dict[str, Any], document: Document) -> None:
    if not isinstance(steps, list) or not steps:
        what = "is missing" if steps is None else "is empty" if steps == [] else "is not a list"
        document.report(("steps",), f"'steps' {what}: expected a list of 1 to {MAX_STEPS} steps")
        return
    before: dict[str, dict[str, Any]] = {}
    total = _check_steps(steps, ("steps",), header, document, before)
    if total > MAX_STEPS:
        document.report(("steps",), f"{total} steps: expected at most {MAX_STEPS}")
    check_distances(steps, document)


def _check_steps(
    steps: list[Any], place: Path, header: dict[str, Any], document: Document, before: dict[str, dict[str, Any]]
) -> int:
    """Check each of them, and what is within; tell how many there are. `before` has the steps before by their keys."""
    total = len(steps)
    for number, step in enumerate(steps):
        path: Path = (*place, number)
        if not isinstance(step, dict):
            document.report(path, f"a step is a mapping with key and type, not {document.written(path)}")
            continue
        if _check_type(step, path, document):
            _check_fields(MODELS[step["type"]], _without_parts(step), path, document)
            _check_templates(step, path, document)
            _check_asked(step, path, document, before)
            check_timing(step, header, path, document)
        key = step.get("key")
        if isinstance(key, str):
            if key in before:
                line = next(line for one, line in document.keys if one == key)
                document.report((*path, "key"), f"another step has the key {quoted(key)}, on line {line}")
            else:
                document.keys.append((key, document.line((*path, "key"))))
            before.setdefault(key, step)
        total += _check_branches(step, path, header, document, before)
    return total


def _check_branches(
    step: dict[str, Any], path: Path, header: dict[str, Any], document: Document, before: dict[str, dict[str, Any]]
) -> int:
    if step.get("type") != "condition":
        return 0
    total = 0
    for name in BRANCHES:
        steps = step.get(name, [])
        if isinstance(steps, list):
            total += _check_steps(steps, (*path, name), header, document, before)
        else:
            document.report(
                (*path, name), f"'{name}' can't be {document.written((*path, name))}: expected a list of steps"
            )
    if not any(step.get(name) for name in BRANCHES):
        document.report(path, "'then' and 'else' are both missing: expected steps in at least one of them")
    return total


def _without_parts(step: dict[str, Any]) -> dict[str, Any]:
    """A step without what is checked apart."""
    if step["type"] == "condition":
        return {"if": {"has": "-"}} | {key: value for key, value in step.items() if key not in ("if", *BRANCHES)}
    return {key: value for key, value in step.items() if key != "until"} if step["type"] == "wait" else step


def _check_asked(step: dict[str, Any], path: Path, document: Document, before: dict[str, dict[str, Any]]) -> None:
    """Check the question of a condition or a wait."""
    if step["type"] == "condition":
        if "if" in step:
            check_question(step["if"], (*path, "if"), document, before)
        else:
            document.report(path, "'if' is missing: expected a question, such as {opened: KEY, within: 2 days}")
    elif step["type"] == "action":
        given = [name for name in DEEDS if step.get(name) is not None]
        if len(given) != 1:
            what = " and ".join(f"'{name}'" for name in given) or "nothing"
            document.report(path, f"an action does one thing, not {what}: expected one of {', '.join(DEEDS)}")
        for name in ("enroll_in", "exit_from"):
            if step.get(name) is not None and step[name] == document.data.get("sequence"):
                document.report((*path, name), f"'{name}' names this sequence: expected another, or 'exit: true'")
    elif step["type"] == "wait":
        until = step.get("until")
        if until is not None:
            check_question(until, (*path, "until"), document, before)
            if isinstance(until, dict) and WITHIN not in until:
                document.report((*path, "until"), "'within' is missing: expected how long is waited, such as 14 days")
        elif "delay" not in step:
            document.report(path, "'delay' and 'until' are both missing: expected how long, or what, is waited for")


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
