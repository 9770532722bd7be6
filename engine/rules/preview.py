"""The texts of a sequence as one contact would get them, with what is missing marked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from liquid.exceptions import LiquidError

from engine.rules.rendering import RenderError, Variables, variables
from schema.definition import AnyStep, Definition, EmailStep, SmsStep, TaskStep
from schema.definition.templates.check import UNSUBSCRIBE_URL
from schema.definition.templates.environment import MISSING, parse_template

_MARK: Final = re.compile(re.escape(MISSING).replace(r"\{\}", r"([^\]]+?)"), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a step would say."""

    subject: str | None
    text: str
    missing: tuple[str, ...]
    """Variables that have no value and no default: they would be empty."""


def preview(step: AnyStep, values: Variables) -> Preview | None:
    """Return what a message or the script of a task would say; None: the step says nothing.

    Raises:
        RenderError: a template can't be rendered with these values.
    """
    match step:
        case SmsStep():
            return _preview(None, step.body, values)
        case EmailStep():
            return _preview(step.subject, step.text or step.html or "", values, html=step.text is None)
        case TaskStep() if step.description is not None:
            return _preview(None, step.description, values)
        case _:
            return None


def preview_values(
    definition: Definition, contact: Mapping[str, Any], custom: Mapping[str, Any], sender: Mapping[str, Any]
) -> Variables:
    """Return the variables of templates; what a contact does not have is missing, not empty."""
    sequence = {"key": definition.sequence, "name": definition.name}
    given = variables(contact, {}, sender, sequence)["contact"]
    own = {name: value for name, value in given.items() if value not in (None, "")}
    links = {UNSUBSCRIBE_URL: "(unsubscribe link)"}
    return {"contact": own, "custom": custom, "sender": sender, "sequence": sequence, **links}


def _preview(subject: str | None, text: str, values: Variables, *, html: bool = False) -> Preview:
    shown_subject = None if subject is None else _rendered(subject, values)
    shown = _rendered(text, values, html=html)
    marks = _MARK.findall(f"{shown_subject or ''} {shown}")
    missing = dict.fromkeys(mark.lower() if mark.isupper() else mark for mark in marks)  # a filter may have upcased it
    return Preview(shown_subject, shown, tuple(missing))


def _rendered(source: str, values: Variables, *, html: bool = False) -> str:
    try:
        return parse_template(source, html=html, marking=True).render(values).strip()
    except LiquidError as error:
        message = f"the template can't be rendered with these data ({type(error).__name__})"
        raise RenderError("template_error", message) from None
