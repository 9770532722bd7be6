"""What is wrong with the parts of steps that decide or act: questions, variants, deeds."""

import re
from typing import Any, Final

from schema.definition.actions import DEEDS
from schema.definition.document import Document, Path, Unquoted
from schema.definition.field_check import check_fields
from schema.definition.problem import quoted
from schema.definition.question_check import WITHIN, check_question
from schema.definition.steps import KEY_EXPECTED, KEY_PATTERN
from schema.definition.variants import MOST, Variant

#: The branches of a condition.
BRANCHES: Final = ("then", "else")


def check_variants(given: Any, path: Path, document: Document) -> list[tuple[Path, Any]]:
    """Check all but their steps; give those."""
    if not isinstance(given, dict) or not 2 <= len(given) <= MOST:
        document.report(path, f"'variants': expected 2 to {MOST} of them: {{a: {{weight: 1, steps: [...]}}, b: ...}}")
        return []
    for name, variant in given.items():
        if not re.fullmatch(KEY_PATTERN, name):
            document.report((*path, name), f"the variant {quoted(name)} needs another name: expected {KEY_EXPECTED}")
        if isinstance(variant, dict):
            own = {key: value for key, value in variant.items() if key != "steps"}
            check_fields(Variant, own, (*path, name), document)
        else:
            document.report(
                (*path, name), f"a variant is a mapping with weight and steps, not {document.written((*path, name))}"
            )
    weights = [variant.get("weight", 1) for variant in given.values() if isinstance(variant, dict)]
    if all(isinstance(weight, Unquoted) and weight.written.strip("0") == "" for weight in weights):
        document.report(path, "'variants': all weights are 0, so that nobody gets any")
    return [
        ((*path, name, "steps"), variant.get("steps"))
        for name, variant in sorted(given.items())
        if isinstance(variant, dict)
    ]


def without_parts(step: dict[str, Any]) -> dict[str, Any]:
    """A step without what is checked apart."""
    if step["type"] == "condition":
        return {"if": {"has": "-"}} | {key: value for key, value in step.items() if key not in ("if", *BRANCHES)}
    if step["type"] == "variants":
        return {"variants": {"a": {}, "b": {}}} | {key: value for key, value in step.items() if key != "variants"}
    return {key: value for key, value in step.items() if key != "until"} if step["type"] == "wait" else step


def check_asked(step: dict[str, Any], path: Path, document: Document, before: dict[str, dict[str, Any]]) -> None:
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
