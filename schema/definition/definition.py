"""A sequence definition: what is published as an immutable version."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from schema.definition.calendar import (
    DATE_FORMAT_EXPECTED,
    TIMEZONE_EXPECTED,
    WINDOW_EXPECTED,
    DateFormat,
    MaybeWindow,
    Timezone,
)
from schema.definition.extra import DESCRIPTION_EXPECTED, MAX_DESCRIPTION, METADATA_EXPECTED, Metadata
from schema.definition.gates import question_of
from schema.definition.kinds import Step
from schema.definition.mail import (
    CC_EXPECTED,
    HEADERS_EXPECTED,
    MAX_CC,
    REPLY_TO_EXPECTED,
    Cc,
    Headers,
    ReplyTo,
)
from schema.definition.questions import Question
from schema.definition.quiet_hours import QUIET_EXPECTED, MaybeQuietHours
from schema.definition.reentry import ReentryAfter, ReentryRule
from schema.definition.senders import (
    FROM_EXPECTED,
    GUARANTEE_EXPECTED,
    SENDER_NAME_EXPECTED,
    TRIES_EXPECTED,
    From,
    Guarantee,
    SenderName,
    Tries,
)
from schema.definition.steps import KEY_EXPECTED, KEY_PATTERN, AnyStep, Duration
from schema.states import Reentry

Tag: TypeAlias = Annotated[str, Field(pattern=r"^[^\s,]([^,\n\t]{0,61}[^\s,])?$")]
ExitReason: TypeAlias = Literal["replied", "unsubscribed", "bounced", "goal", "complained", "company_replied"]


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _walk(steps: Iterable[AnyStep]) -> Iterator[AnyStep]:
    for step in steps:
        yield step
        for branch in step.branches.values():
            yield from _walk(branch)


#: What ends a sequence early unless its file says otherwise: people who write from a company expect that a reply does.
DEFAULT_EXITS: Final[tuple[ExitReason, ...]] = ("replied", "unsubscribed", "bounced")


def _more_than_nothing(time: timedelta | None) -> timedelta | None:
    if time is not None and time <= timedelta():
        raise ValueError("expected more than 0 minutes")
    return time


def _in_order(reasons: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(reason for reason in get_args(ExitReason) if reason in reasons)


#: Left out of the canonical form where they are not used, so that it stays what it was before there were any.
OPTIONAL: Final[dict[str, Any]] = {
    "description": None,
    "metadata": {},
    "timezone": "contact",
    "window": None,
    "quiet_hours": None,
    "goal": None,
    "stale_after": None,
    "assignee": None,
    "date_format": None,
    "from": None,
    "sender_name": None,
    "max_tries": None,
    "guarantee": None,
    "reply_to": None,
    "cc": [],
    "headers": {},
}


class Header(BaseModel):
    """What a definition says of the sequence as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sequence: Annotated[str, Field(pattern=KEY_PATTERN, description=KEY_EXPECTED)]
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="text of 1 to 200 characters",
            default_factory=lambda known: known.get("sequence", ""),
        ),
    ]
    description: Annotated[
        str | None, Field(min_length=1, max_length=MAX_DESCRIPTION, description=DESCRIPTION_EXPECTED)
    ] = None
    metadata: Annotated[Metadata, Field(default_factory=dict, description=METADATA_EXPECTED)]
    tags: Annotated[
        tuple[Tag, ...],
        AfterValidator(_once),
        Field(max_length=50, description="a list of up to 50 texts of at most 63 characters: [demo, trial]"),
    ] = ()
    timezone: Annotated[Timezone, Field(description=TIMEZONE_EXPECTED)] = "contact"
    window: Annotated[MaybeWindow, Field(description=WINDOW_EXPECTED)] = None
    quiet_hours: Annotated[MaybeQuietHours, Field(description=QUIET_EXPECTED)] = None
    reentry: ReentryRule = Reentry.ONCE
    exit_on: Annotated[
        tuple[ExitReason, ...],
        AfterValidator(_in_order),
        Field(
            description="a list of what ends it early: replied, unsubscribed, bounced, complained, goal, "
            "company_replied (another contact of the same company replied); by default replied, unsubscribed, bounced, "
            "without replied where a step or the goal asks for a reply"
        ),
    ] = DEFAULT_EXITS
    goal: Annotated[
        Question | None,
        Field(description="what ends it when it is so, a question: {attribute: {plan: pro}}"),
    ] = None
    stale_after: Annotated[
        Duration | None,
        AfterValidator(_more_than_nothing),
        Field(description="ends enrollments that wait for a person in which nothing happens for so long: 30 days"),
    ] = None
    assignee: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="who does its tasks, a template: maria@example.com",
        ),
    ] = None

    date_format: Annotated[DateFormat | None, Field(description=DATE_FORMAT_EXPECTED)] = None
    sender: Annotated[From | None, Field(alias="from", description=FROM_EXPECTED)] = None
    sender_name: Annotated[SenderName | None, Field(description=SENDER_NAME_EXPECTED)] = None
    max_tries: Annotated[Tries | None, Field(description=TRIES_EXPECTED)] = None
    guarantee: Annotated[Guarantee | None, Field(description=GUARANTEE_EXPECTED)] = None
    reply_to: Annotated[ReplyTo | None, Field(description=REPLY_TO_EXPECTED)] = None
    cc: Annotated[Cc, Field(max_length=MAX_CC, description=CC_EXPECTED)] = ()
    headers: Annotated[Headers, Field(default_factory=dict, description=HEADERS_EXPECTED)]

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if name not in OPTIONAL or value != OPTIONAL[name]}


class Definition(Header):
    """A sequence definition. Delays are sequence time, `max_lateness` is real time."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=200, description="a list of 1 to 200 steps")]

    @model_validator(mode="after")
    def _go_on_after_a_reply_that_is_asked_for(self) -> Self:
        """Take `replied` out of the default: nobody would get to the steps behind the answer yes.

        What is stored says what ends it.
        """
        if "exit_on" not in self.model_fields_set and self.asks_for_reply:
            object.__setattr__(self, "exit_on", tuple(one for one in DEFAULT_EXITS if one != "replied"))
        return self

    @classmethod
    def restore(cls, canonical: dict[str, Any]) -> Self:
        """Take a definition back from what `canonical` gave."""
        return cls.model_validate(canonical)

    def canonical(self) -> dict[str, Any]:
        """The definition as JSON data: defaults filled in, durations in whole seconds."""
        return self.model_dump(mode="json", by_alias=True)

    def walk(self) -> Iterator[AnyStep]:
        """All steps in the order of the file, those within others behind them."""
        return _walk(self.steps)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        canonical = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def reentry_state(self) -> Reentry:
        """What its enrollments are marked with: one that lets contacts in after a time does so after their exit."""
        return Reentry.AFTER_EXIT if isinstance(self.reentry, ReentryAfter) else self.reentry

    @property
    def again_after(self) -> timedelta | None:
        """How long after the end of an enrollment the contact may be enrolled again; None: no time is asked for."""
        return self.reentry.after if isinstance(self.reentry, ReentryAfter) else None

    @property
    def asks_for_reply(self) -> bool:
        """Whether a step or the goal asks for a reply."""
        asked = [question for step in self.walk() if (question := question_of(step)) is not None]
        return any(question.asks_for_reply() for question in [*asked, *([self.goal] if self.goal else [])])

    @cached_property
    def needs(self) -> frozenset[Literal["email", "phone"]]:
        """What a contact must have for all the steps."""
        return frozenset(step.needs for step in self.walk() if step.needs is not None)

    @cached_property
    def channels(self) -> frozenset[str]:
        """The channels that its steps send on: messages to contacts, and emails to people of yours."""
        return frozenset(channel for step in self.walk() if (channel := step.channel) is not None)
