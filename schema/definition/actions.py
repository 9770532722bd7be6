"""Steps that do something by themselves: to the contact, or to its enrollments."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from schema.definition.outward import Notify, Webhook
from schema.definition.questions import Values
from schema.definition.steps import KEY_EXPECTED, KEY_PATTERN, AnyStep

#: What an action can do: exactly one of these is given.
DEEDS: Final = ("set", "tag", "untag", "enroll_in", "exit_from", "exit", "webhook", "notify")

TAG_EXPECTED: Final = "a tag: text of 1 to 63 characters without commas"


def _single(values: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if any(len(value) != 1 for value in values.values()):
        raise ValueError("an attribute is set to one value")
    return values


def _true(value: bool) -> bool:
    if not value:
        raise ValueError("it is true, or left out")
    return value


class ActionStep(AnyStep):
    """One deed."""

    type: Annotated[Literal["action"], Field(description="the type of the step")]
    set: Annotated[
        Annotated[dict[str, Values], Field(min_length=1, max_length=50), AfterValidator(_single)] | None,
        Field(description="attributes of the contact and their values: {plan: pro}"),
    ] = None
    tag: Annotated[str | None, Field(pattern=r"^[^,\n\t]{1,63}$", description=TAG_EXPECTED)] = None
    untag: Annotated[str | None, Field(pattern=r"^[^,\n\t]{1,63}$", description=TAG_EXPECTED)] = None
    enroll_in: Annotated[str | None, Field(pattern=KEY_PATTERN, description=KEY_EXPECTED)] = None
    exit_from: Annotated[str | None, Field(pattern=KEY_PATTERN, description=KEY_EXPECTED)] = None
    exit: Annotated[
        StrictBool | None,
        BeforeValidator(lambda value: value if value is None or not isinstance(value, bool) else _true(value)),
        Field(description="true: the enrollment ends here"),
    ] = None
    webhook: Annotated[
        Webhook | None, Field(description="a web server that is told: {url: https://example.com/hook, body: {...}}")
    ] = None
    notify: Annotated[
        Notify | None, Field(description="a person who gets an email: {to: assignee, subject: ..., text: ...}")
    ] = None

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes that it sets."""
        return {name: value for name, (value,) in (self.set or {}).items()}

    @property
    def channel(self) -> str | None:
        """A notification is an email."""
        return "email" if self.notify is not None else None

    @property
    def outward(self) -> Webhook | Notify | None:
        """Whom it tells, outside of the database: that takes time, and may fail."""
        return self.webhook or self.notify
