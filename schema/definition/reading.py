"""From the text of a sequence file to its definition, or to all that is wrong with it."""

from typing import Any, Final

from schema.definition.definition import Definition, Header
from schema.definition.distances import check_distances
from schema.definition.document import Document, Path, read_document
from schema.definition.field_check import check_fields
from schema.definition.kinds import MODELS
from schema.definition.library import Library, resolve
from schema.definition.other_names import type_meant
from schema.definition.outward_check import outward_templates
from schema.definition.part_check import BRANCHES, check_asked, check_variants, without_parts
from schema.definition.problem import InvalidDefinition, Problem, quoted
from schema.definition.question_check import GOAL, check_question
from schema.definition.questions import FROM_FILE
from schema.definition.templates import check_template
from schema.definition.timing import check_timing

#: The most that Twilio takes (its error 21617), in characters.
MAX_SMS: Final = 1_600
MAX_STEPS: Final = 200


def parse(text: str, library: Library | None = None) -> Definition:
    """Read a sequence file, YAML or JSON, with what its steps take from a library.

    Raises:
        InvalidDefinition: with all the problems, not just the first.
    """
    return definition_in(read_document(text), library)


def definition_in(document: Document, library: Library | None = None) -> Definition:
    """Return the definition that a document holds.

    Raises:
        InvalidDefinition: with all the problems, not just the first.
    """
    if not isinstance(document.data, dict):
        raise InvalidDefinition([Problem(1, None, "expected a mapping with the keys sequence and steps, not a list")])
    resolve(document, library)
    header = {key: value for key, value in document.data.items() if key not in ("steps", "goal")}
    check_fields(Header, header, (), document)
    _check_template(header.get("assignee"), "assignee", ("assignee",), document)
    _check_all_steps(document.data.get("steps"), header, document)
    if problems := document.problems():
        raise InvalidDefinition(problems)
    return Definition.model_validate(document.data, context=FROM_FILE)


def _check_all_steps(steps: Any, header: dict[str, Any], document: Document) -> None:
    if not isinstance(steps, list) or not steps:
        what = "is missing" if steps is None else "is empty" if steps == [] else "is not a list"
        document.report(("steps",), f"'steps' {what}: expected a list of 1 to {MAX_STEPS} steps")
        return
    before: dict[str, dict[str, Any]] = {}
    total = _check_steps(steps, ("steps",), header, document, before)
    if "goal" in document.data:
        check_question(document.data["goal"], (GOAL,), document, before, timed=False)
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
            check_fields(MODELS[step["type"]], without_parts(step), path, document)
            _check_templates(step, path, document)
            check_asked(step, path, document, before)
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
    match step.get("type"):
        case "condition":
            if not any(step.get(name) for name in BRANCHES):
                document.report(path, "'then' and 'else' are both missing: expected steps in at least one of them")
            within = [((*path, name), step.get(name)) for name in BRANCHES]
        case "variants":
            within = check_variants(step.get("variants"), (*path, "variants"), document)
        case _:
            return 0
    total = 0
    for place, steps in within:
        if isinstance(steps, list):
            total += _check_steps(steps, place, header, document, before)
        elif steps is not None:
            document.report(place, f"'{place[-1]}' can't be {document.written(place)}: expected a list of steps")
    return total


def _check_type(step: dict[str, Any], path: Path, document: Document) -> bool:
    """Whether the step is of a type that can be checked further."""
    kind = step.get("type")
    if isinstance(kind, str) and kind in MODELS:
        return True
    supported = ", ".join(MODELS)
    if kind is None:
        document.report(path, f"'type' is missing: expected {supported}")
    else:
        written = document.written((*path, "type"))
        hint = type_meant(kind, MODELS) if isinstance(kind, str) else ""
        document.report((*path, "type"), f"unknown type {written}{hint}: expected {supported}")
    return False


def _check_templates(step: dict[str, Any], path: Path, document: Document) -> None:
    for name in MODELS[step["type"]].templates:
        _check_template(step.get(name), name, (*path, name), document)
    for name, path_within, sources in outward_templates(step, path):
        _check_template(sources, name, path_within, document)
    if step["type"] == "email" and step.get("text") is None and step.get("html") is None:
        document.report(path, "'text' and 'html' are both missing: expected at least one of them")


def _check_template(value: Any, name: str, path: Path, document: Document) -> None:
    """Check a template, or a list of them."""
    sources = [(path, value)] if isinstance(value, str) else []
    if isinstance(value, list):
        sources = [((*path, number), item) for number, item in enumerate(value) if isinstance(item, str)]
    for place, source in sources:
        checked = check_template(source, html=name == "html", email=name in ("text", "html"))
        for problem in checked.problems:
            document.report(place, f"'{name}': {problem.message}", document.text_line(place, problem.line))
        if source and not source.strip():
            document.report(place, f"'{name}' is only white space")
        if name == "body" and (least := len(checked.least.strip())) > MAX_SMS:
            message = f"'body' has at least {least:,} characters: an SMS takes at most {MAX_SMS:,}"
            document.report(place, message)
