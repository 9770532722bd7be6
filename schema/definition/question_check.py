"""What is wrong with the question of a condition or a wait, in words that say what is expected."""

from collections.abc import Mapping
from typing import Any, Final

from schema.definition.document import Document, Path, Unquoted
from schema.definition.duration import parse_duration
from schema.definition.problem import did_you_mean, quoted
from schema.definition.questions import ATOMS, JOINS
from schema.states import MESSAGE_TYPES, TASK_TYPES

WITHIN: Final = "within"
#: Beside `within`: what it counts from.
OF: Final = "of"
BASES: Final = ("sent", "step")
#: Beside `attribute` alone: its value is compared letter by letter.
EXACT: Final = "exact"
#: The question of the sequence as a whole: it may be about any of its steps.
GOAL: Final = "goal"

WAIT_OUTCOMES: Final = ("met", "timed_out")

#: Those that name a step, and the types that it can have.
OF_STEPS: Final = {
    "opened": ("email",),
    "clicked": MESSAGE_TYPES,
    "replied": MESSAGE_TYPES,
    "delivered": MESSAGE_TYPES,
    "failed": MESSAGE_TYPES,
    "outcome": (*TASK_TYPES, "wait", "variants"),
}

Steps = Mapping[str, Mapping[str, Any]]


def check_question(value: Any, path: Path, document: Document, before: Steps, *, timed: bool = True) -> None:
    """Report all that is wrong with it; `before` are the steps before, by their keys."""
    if not isinstance(value, dict):
        expected = f"expected a question, such as {{opened: KEY}}: one of {', '.join([*ATOMS, *JOINS])}"
        document.report(path, f"'{path[-1]}' can't be {document.written(path)}: {expected}")
        return
    asked = [name for name in value if name in ATOMS or name in JOINS]
    for name in value:
        if name not in asked and not (timed and name in (WITHIN, OF)) and not (name == EXACT and "attribute" in asked):
            known = [*ATOMS, *JOINS, *([WITHIN, OF] if timed else []), *([EXACT] if "attribute" in asked else [])]
            hint = did_you_mean(name, known)
            document.report((*path, name), f"unknown question {quoted(name)}{hint}: expected {', '.join(known)}")
    if timed and WITHIN in value:
        _check_within(value[WITHIN], (*path, WITHIN), document)
    if timed and OF in value:
        _check_base(value, (*path, OF), document)
    if EXACT in value and "attribute" in asked and not isinstance(value[EXACT], bool):
        document.report(
            (*path, EXACT), f"'{EXACT}' can't be {document.written((*path, EXACT))}: expected true or false"
        )
    if len(asked) != 1:
        if len(asked) > 1 or set(value) <= {WITHIN, OF, EXACT}:
            what = f"{len(asked)} questions at once: join them with any or all" if asked else "no question is asked"
            document.report(path, f"'{path[-1]}': {what}")
        return
    (name,) = asked
    check = _check_joined if name in JOINS else _check_atom
    check(name, value[name], (*path, name), document, before)


def _check_within(value: Any, path: Path, document: Document) -> None:
    try:
        parse_duration(value.written if isinstance(value, Unquoted) else str(value))
    except ValueError as error:
        document.report(path, f"'within': {error}")


def _check_base(question: Mapping[str, Any], path: Path, document: Document) -> None:
    if question[OF] not in BASES:
        document.report(path, f"'{OF}' can't be {document.written(path)}: expected {' or '.join(BASES)}")
    elif WITHIN not in question:
        document.report(path, f"'{OF}' says what 'within' counts from: add 'within', or leave it out")
    elif question[OF] == "sent" and not _names_message(question):
        document.report(path, f"'{OF}: sent' needs a question about a message, such as {{opened: KEY}}")


def _names_message(question: Any) -> bool:
    """Whether it, or a question that it joins, is about a message."""
    if isinstance(question, list):
        return any(map(_names_message, question))
    if not isinstance(question, Mapping):
        return False
    if isinstance(question.get("replied"), str) or question.keys() & {"opened", "clicked", "delivered", "failed"}:
        return True
    return any(_names_message(question.get(name)) for name in JOINS)


def _check_joined(name: str, value: Any, path: Path, document: Document, before: Steps) -> None:
    if name == "not":
        check_question(value, path, document, before, timed=False)
    elif not isinstance(value, list) or not value:
        document.report(path, f"'{name}' can't be {document.written(path)}: expected {JOINS[name]}")
    else:
        for number, one in enumerate(value):
            if isinstance(one, dict):
                check_question(one, (*path, number), document, before, timed=False)
            else:
                document.report((*path, number), f"'{name}': {document.written((*path, number))} is no question")


def _check_atom(name: str, value: Any, path: Path, document: Document, before: Steps) -> None:
    wrong = f"'{name}' can't be {document.written(path)}: expected {ATOMS[name]}"
    match name, value:
        case "replied", True:
            pass
        case "clicked", {"step": str(key), **rest} if rest.keys() <= {"link"}:
            _check_step(name, key, (*path, "step"), document, before)
            if not isinstance(rest.get("link", "-"), str) or not rest.get("link", "-"):
                document.report((*path, "link"), "'link' is a URL; with a * at its end all that begin so")
        case "outcome", dict() if len(value) == 1:
            ((key, outcome),) = value.items()
            _check_outcome(key, outcome, path, document, before)
        case "attribute", dict() if len(value) == 1:
            ((_, wanted),) = value.items()
            wanted = wanted if isinstance(wanted, list) else [wanted]
            if not wanted or not all(isinstance(one, (str, bool, Unquoted)) for one in wanted):
                document.report(path, wrong)
        case (("outcome" | "attribute"), _):
            document.report(path, wrong)
        case _, str(text) if text and name in OF_STEPS:
            _check_step(name, text, path, document, before)
        case _, str(text) if text.strip():
            pass
        case _:
            document.report(path, wrong)


def _check_step(name: str, key: str, path: Path, document: Document, before: Steps) -> None:
    step = before.get(key)
    kinds = OF_STEPS[name]
    if step is None:
        known = [key for key, step in before.items() if step.get("type") in kinds]
        where = "in the sequence" if path[0] == GOAL else "before it"
        there_are = f"{where} there are {', '.join(known)}" if known else f"there is none {where}"
        document.report(path, f"'{name}': no step {quoted(key)} is {where}{did_you_mean(key, known)}: {there_are}")
    elif step.get("type") not in kinds:
        document.report(path, f"'{name}': step {quoted(key)} is of type {step.get('type')}: expected {ATOMS[name]}")


def _check_outcome(key: str, outcome: Any, path: Path, document: Document, before: Steps) -> None:
    _check_step("outcome", key, (*path, key), document, before)
    if key in document.incomplete:
        return
    step = before.get(key, {})
    known = step.get("variants" if step.get("type") == "variants" else "outcomes")
    known = WAIT_OUTCOMES if step.get("type") == "wait" else list(known) if isinstance(known, (list, dict)) else []
    if step.get("type") in OF_STEPS["outcome"] and outcome not in known:
        there_are = f"it can come to {', '.join(map(str, known))}" if known else "it has no outcomes"
        document.report((*path, key), f"'outcome': {key} can't come to {document.written((*path, key))}: {there_are}")
