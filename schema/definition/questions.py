"""What conditions and waits ask: of messages, of people's answers, of the contact; joined by any, all and not."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from schema.definition.document import Unquoted
from schema.definition.duration import written
from schema.definition.steps import Duration

#: What can be asked, each with what is expected of its value.
ATOMS: Final = {
    "opened": "the key of an email before it",
    "clicked": "the key of a message before it, or {step: KEY, link: URL}",
    "replied": "true, or the key of a message before it",
    "delivered": "the key of a message before it",
    "failed": "the key of a message before it",
    "outcome": "a task, wait or variants before it, and what it came to: {call: interested}",
    "attribute": "an attribute of the contact and its value, or a list of values: {plan: pro}",
    "has": "the name of an attribute of the contact",
    "tag": "a tag of the contact",
    "enrolled_in": "the key of a sequence",
    "event": "the name of an event of your own",
}
#: The context in which what a file says is validated: there, and not in what is stored, defaults may change.
FROM_FILE: Final = "file"

JOINS: Final = {"any": "a list of questions", "all": "a list of questions", "not": "a question"}


def _texts(value: Any) -> Any:
    """One value or several, as texts: an attribute is compared as it would be written."""
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple(_text(one) for one in values)


def _text(value: Any) -> Any:
    if isinstance(value, Unquoted):
        return value.written
    return str(value).lower() if isinstance(value, bool) else value


#: For editors: one value, or several.
_VALUE: Final = {"anyOf": [{"type": "string"}, {"type": "boolean"}, {"type": "number"}]}

Values: TypeAlias = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    WithJsonSchema({"anyOf": [*_VALUE["anyOf"], {"type": "array", "items": _VALUE, "minItems": 1}]}),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if value is not None}


class Click(_Model):
    """A click, perhaps on one link."""

    step: str
    link: Annotated[str | None, Field(description="a URL; with a * at its end all that begin so")] = None


class Question(_Model):
    """Exactly one of the fields is given (schema/definition/question_check.py)."""

    opened: str | None = None
    clicked: Annotated[
        Click | None, BeforeValidator(lambda value: {"step": value} if isinstance(value, str) else value)
    ] = None
    replied: StrictBool | str | None = None
    delivered: str | None = None
    failed: str | None = None
    outcome: dict[str, str] | None = None
    attribute: dict[str, Values] | None = None
    exact: Annotated[
        StrictBool | None, Field(description="true: upper and lower case of an attribute's value differ")
    ] = None
    has: str | None = None
    tag: str | None = None
    enrolled_in: str | None = None
    event: str | None = None
    any_of: Annotated[tuple["Question", ...] | None, Field(alias="any")] = None
    all_of: Annotated[tuple["Question", ...] | None, Field(alias="all")] = None
    negated: Annotated["Question | None", Field(alias="not")] = None

    def parts(self) -> Iterator["Question"]:
        """The questions that it joins."""
        yield from self.any_of or ()
        yield from self.all_of or ()
        if self.negated is not None:
            yield self.negated

    def messages(self) -> Iterator[str]:
        """The keys of the messages that it is about."""
        for named in (self.opened, self.clicked and self.clicked.step, self.replied, self.delivered, self.failed):
            if isinstance(named, str):
                yield named
        for part in self.parts():
            yield from part.messages()

    def asks_of_messages(self) -> bool:
        """Return whether it asks what the contact did with messages, and nothing else."""
        if parts := list(self.parts()):
            return all(part.asks_of_messages() for part in parts)
        return self.opened is not None or self.clicked is not None or isinstance(self.replied, str)

    def asks_for_reply(self) -> bool:
        """Return whether it asks, or joins a question that asks, for a reply."""
        return self.replied is not None or any(part.asks_for_reply() for part in self.parts())

    def __str__(self) -> str:
        """In words, as the file has it."""
        if self.negated is not None:
            return f"not {self.negated}"
        for word, joined in (("any", self.any_of), ("all", self.all_of)):
            if joined is not None:
                return f"{word} of ({', '.join(map(str, joined))})"
        if self.clicked is not None:
            return f"clicked {self.clicked.step}" + (f" {self.clicked.link}" if self.clicked.link else "")
        for name, pair in (("outcome", self.outcome), ("attribute", self.attribute)):
            if pair is not None:
                ((key, wanted),) = pair.items()
                return f"{name} {key} {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        name, value = next((name, value) for name in ATOMS if (value := getattr(self, name)) is not None)
        return name if value is True else f"{name} {value}"


class TimedQuestion(Question):
    """A question, and the time in which it can come true."""

    within: Annotated[Duration | None, Field(description="how long it may take to come true: 2 days")] = None
    of: Annotated[
        Literal["sent", "step"] | None,
        Field(
            description="what `within` counts from: sent: the message's hand-over (the default of opened, clicked and"
            " replied: KEY); step: the step's turn (the default of all else)"
        ),
    ] = None
    """None: the step's turn, also in versions from before there was a choice."""

    @model_validator(mode="after")
    def _count_from_the_message(self, info: ValidationInfo) -> Self:
        """Fill in the default of a file; what was stored keeps its meaning."""
        if info.context == FROM_FILE and self.of is None and self.within is not None and self.asks_of_messages():
            object.__setattr__(self, "of", "sent")
        return self

    @model_serializer(mode="wrap")
    def _with_its_base(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Say what is true of versions from before there was a choice: a file that left it out would say another."""
        data = {name: value for name, value in serialize(self).items() if value is not None}
        if self.of is None and self.within is not None and self.asks_of_messages():
            data["of"] = "step"
        return data

    def __str__(self) -> str:
        """In words, with the time if it counts from the message."""
        asked = super().__str__()
        if self.of != "sent" or self.within is None:
            return asked
        return f"{asked} within {written(round(self.within.total_seconds()))} of sending"
