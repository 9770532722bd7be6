"""What is wrong with single fields, in words that say what is expected."""

from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from schema.definition.calendar import WEEKDAYS, DateAnchor, Window
from schema.definition.document import Document, Path, Unquoted
from schema.definition.other_names import field_meant
from schema.definition.outward import Notify, Webhook
from schema.definition.problem import quoted
from schema.definition.quiet_hours import QuietDay, QuietHours
from schema.definition.reentry import ReentryAfter

#: Values that are mappings of their own.
NESTED: Final[dict[str, type[BaseModel]]] = {
    "window": Window,
    "quiet_hours": QuietHours,
    "before": DateAnchor,
    "after": DateAnchor,
    "reentry": ReentryAfter,
    "webhook": Webhook,
    "notify": Notify,
    **dict.fromkeys(WEEKDAYS, QuietDay),
}


def check_fields(model: type[BaseModel], given: dict[str, Any], path: Path, document: Document) -> None:
    """Report what is wrong with single fields, by what the model of a step, or of a part of it, says."""
    nested = {name for name in NESTED if name in _fields(model) and isinstance(given.get(name), dict)}
    for name in sorted(nested):
        check_fields(NESTED[name], given[name], (*path, name), document)
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
        return f"unknown key {quoted(name)}{field_meant(name, known)}: expected {', '.join(known)}"
    expected = known[name].description
    if kind == "missing":
        return f"'{name}' is missing: expected {expected}"
    if kind == "value_error":
        return f"'{name}': {details['ctx']['error']}"
    if kind == "string_type" and isinstance(value, (Unquoted, bool)):
        taken = value.kind if isinstance(value, Unquoted) else "yes or no"
        return f"'{name}' must be text, but YAML takes {written} for {taken}: write it in quotes"
    return f"'{name}' can't be {written}: expected {expected}"
