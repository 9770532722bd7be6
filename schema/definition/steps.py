"""The steps of a sequence, as they are published."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StrictBool,
    WithJsonSchema,
    model_serializer,
)

from schema.definition.calendar import (
    DATE_EXPECTED,
    WINDOW_EXPECTED,
    DateAnchor,
    DelayField,
    LocalTime,
    MaybeWindow,
)
from schema.definition.delay import Delay
from schema.definition.document import Unquoted
from schema.definition.duration import MIN_DELAY, PATTERN, parse_duration
from schema.definition.library import TEMPLATE_EXPECTED, TEMPLATE_SCHEMA, TemplateRef
from schema.definition.mail import (
    CC_EXPECTED,
    HEADERS_EXPECTED,
    MAX_CC,
    REPLY_TO_EXPECTED,
    Cc,
    Headers,
    ReplyTo,
)
from schema.definition.quiet_hours import QUIET_EXPECTED, MaybeQuietHours
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

KEY_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
KEY_EXPECTED: Final = "a key: lower-case letters, digits, - and _, at most 63, the first a letter or digit"
MAX_MEDIA: Final = 10
MAX_URL: Final = 2_000
DAY: Final = timedelta(days=1)


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, Unquoted):
        return parse_duration(value.written)
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if not isinstance(value, str):
        raise ValueError("it is not text")  # noqa: TRY004 (pydantic passes a TypeError on as a crash)
    return parse_duration(value)


def _media(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _url(value: str) -> str:
    """A URL whose scheme and first character of the host are not left to a template."""
    address = value.split("{{")[0].split("{%")[0]
    if len(value) > MAX_URL or any(character.isspace() for character in address):
        raise ValueError(f"a URL has at most {MAX_URL:,} characters, and no white space")
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("a URL starts with https:// or http:// and the name of a host")
    return value


_DURATION_SCHEMA: Final = {"type": "string", "pattern": PATTERN, "examples": ["90 minutes", "1.5 hours", "1 day"]}
_MEDIA_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": "^https?://"},
        {"type": "array", "items": {"type": "string", "pattern": "^https?://"}, "minItems": 1, "maxItems": MAX_MEDIA},
    ]
}

Duration: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda duration: round(duration.total_seconds()), return_type=int),
    WithJsonSchema(_DURATION_SCHEMA, mode="validation"),
]
Media: TypeAlias = Annotated[
    tuple[Annotated[str, BeforeValidator(lambda value: _url(value) if isinstance(value, str) else value)], ...],
    BeforeValidator(_media),
    WithJsonSchema(_MEDIA_SCHEMA, mode="validation"),
]


IfLate: TypeAlias = Literal["send", "skip", "shift"]

#: Left out of the canonical form where they are not used, so that it stays what it was before there were any.
OPTIONAL: Final[dict[str, Any]] = {
    "at": None,
    "after_start": None,
    "before": None,
    "after": None,
    "window": None,
    "quiet_hours": None,
    "if_late": "skip",
    "webhook": None,
    "notify": None,
    "transactional": False,
    "template": None,
    "max_tries": None,
    "from": None,
    "sender_name": None,
    "guarantee": None,
    "reply_to": None,
    "cc": [],
    "headers": {},
}


class AnyStep(BaseModel):
    """What all steps have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: What a contact must have for the step.
    needs: ClassVar[Literal["email", "phone"] | None] = None
    #: The fields that are templates; those of HTML are escaped.
    templates: ClassVar[tuple[str, ...]] = ()

    key: Annotated[str, Field(pattern=KEY_PATTERN, description=KEY_EXPECTED)]
    name: Annotated[str | None, Field(min_length=1, max_length=200, description="text of 1 to 200 characters")] = None
    delay: Annotated[
        DelayField,
        Field(
            description="how long after the step before, at least 1 minute: 90 minutes, 1.5 hours, 1 day, 2 weeks,"
            " 3 business days"
        ),
    ] = Delay()
    at: Annotated[LocalTime | None, Field(description='a local time of day, such as "09:00"')] = None
    after_start: Annotated[
        DelayField | None, Field(description="how long after the enrollment, instead of delay: 3 days")
    ] = None
    before: Annotated[DateAnchor | None, Field(description=DATE_EXPECTED)] = None
    after: Annotated[DateAnchor | None, Field(description=DATE_EXPECTED)] = None
    window: Annotated[MaybeWindow, Field(description=WINDOW_EXPECTED)] = None
    quiet_hours: Annotated[MaybeQuietHours, Field(description=QUIET_EXPECTED)] = None
    max_lateness: Annotated[
        Duration,
        Field(ge=MIN_DELAY, description="how late (real time) it may still go out, at least 1 minute: 24 hours"),
    ] = DAY
    if_late: Annotated[
        IfLate, Field(description="send, skip or shift: what becomes of it when it is later than max_lateness")
    ] = "skip"

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if name not in OPTIONAL or value != OPTIONAL[name]}

    type: str

    @property
    def gate(self) -> bool:
        """Whether its end can't be known in advance: the steps behind it have no time before it is there."""
        return False

    @property
    def branches(self) -> "Mapping[str, tuple[AnyStep, ...]]":
        """The steps that it decides between, by what it comes to."""
        return {}

    @property
    def channel(self) -> str | None:
        """The channel that it sends on; None: it sends nothing."""
        return None


class MessageStep(AnyStep):
    """What messages have."""

    template: Annotated[TemplateRef | None, Field(description=TEMPLATE_EXPECTED), TEMPLATE_SCHEMA] = None
    stop_on_failure: Annotated[
        StrictBool, Field(description="true or false: whether a failure ends the enrollment")
    ] = False
    max_tries: Annotated[Tries | None, Field(description=TRIES_EXPECTED)] = None

    @property
    def channel(self) -> str:
        """The channel that it sends on."""
        return self.type


class SmsStep(MessageStep):
    """A text message, or an MMS when it has media."""

    needs = "phone"
    templates = ("body", "media_url")

    type: Annotated[Literal["sms"], Field(description="the type of the step")]
    body: Annotated[str, Field(min_length=1, description="the text, a template: at most 1,600 characters rendered")]
    media_url: Annotated[
        Media,
        Field(max_length=MAX_MEDIA, description=f"one URL (https:// or http://), or a list of up to {MAX_MEDIA}"),
    ] = ()


class EmailStep(MessageStep):
    """An email, with text, HTML or both."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["text"]}, {"required": ["html"]}]})

    needs = "email"
    templates = ("subject", "text", "html", "reply_to", "cc")

    type: Annotated[Literal["email"], Field(description="the type of the step")]
    subject: Annotated[str, Field(min_length=1, description="the subject line, a template")]
    text: Annotated[str | None, Field(min_length=1, description="the plain text, a template")] = None
    html: Annotated[str | None, Field(min_length=1, description="the HTML, a template: values are escaped")] = None
    transactional: Annotated[
        StrictBool,
        Field(description="true or false: an email that the contact asked for, without List-Unsubscribe"),
    ] = False
    sender: Annotated[From | None, Field(alias="from", description=FROM_EXPECTED)] = None
    sender_name: Annotated[SenderName | None, Field(description=SENDER_NAME_EXPECTED)] = None
    guarantee: Annotated[Guarantee | None, Field(description=GUARANTEE_EXPECTED)] = None
    reply_to: Annotated[ReplyTo | None, Field(description=REPLY_TO_EXPECTED)] = None
    cc: Annotated[Cc, Field(max_length=MAX_CC, description=CC_EXPECTED)] = ()
    headers: Annotated[Headers, Field(default_factory=dict, description=HEADERS_EXPECTED)]
