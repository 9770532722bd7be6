"""Steps that a person does: they hold the sequence until somebody has said that they are done."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schema.definition.library import TEMPLATE_EXPECTED, TEMPLATE_SCHEMA, TemplateRef
from schema.definition.steps import KEY_EXPECTED, KEY_PATTERN, AnyStep
from schema.states import Priority


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


class TaskStep(AnyStep):
    """A human task; `manual_sms` and `manual_email` are messages that somebody writes by hand."""

    templates = ("description", "assignee")

    type: Annotated[
        Literal["call", "social_message", "internal_activity", "manual_sms", "manual_email"],
        Field(description="the type of the step"),
    ]
    description: Annotated[
        str | None, Field(min_length=1, description="what is to be done, or a script: a template")
    ] = None
    template: Annotated[TemplateRef | None, Field(description=TEMPLATE_EXPECTED), TEMPLATE_SCHEMA] = None
    priority: Annotated[Priority, Field(description="low, medium or high")] = Priority.MEDIUM
    assignee: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="who does it, a template; the sequence's assignee otherwise"),
    ] = None
    outcomes: Annotated[
        tuple[Annotated[str, Field(pattern=KEY_PATTERN, description=KEY_EXPECTED)], ...],
        AfterValidator(_once),
        Field(max_length=20, description="a list of what can come of it, up to 20: [interested, not_now]"),
    ] = ()

    @property
    def gate(self) -> bool:
        """It ends when somebody says so."""
        return True
