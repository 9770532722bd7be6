"""What an action tells the world outside: a web server, or a person by email."""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from schema.definition.document import Unquoted

MAX_URL: Final = 2_000

#: People whom a sequence knows without their addresses: who does its tasks, and whom the contact belongs to.
ASSIGNEE: Final = "assignee"
OWNER: Final = "owner"

URL_EXPECTED: Final = "a URL that starts with https://, without a template: https://example.com/hook"
BODY_EXPECTED: Final = "a mapping, of which every text is a template: {plan: '{{ custom.plan }}'}"
TO_EXPECTED: Final = "assignee, owner, or an email address"

_BODY_SCHEMA: Final = {"type": "object", "additionalProperties": True}


def _url(value: Any) -> Any:
    """The URL is the same for all: no contact's data may say where anything is sent."""
    if not isinstance(value, str):
        return value
    if "{{" in value or "{%" in value:
        raise ValueError("a URL here is no template: put what differs into 'body'")
    try:
        parts = urlsplit(value)
        readable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        readable = False
    plain = value.isascii() and value.isprintable() and " " not in value
    if not readable or not plain or len(value) > MAX_URL or parts.scheme not in ("https", "http"):
        raise ValueError(
            "a URL starts with https:// and the name of a host, has no blanks and at most 2,000 characters"
        )
    if parts.username is not None or parts.fragment:
        raise ValueError("a URL has no user, password or #: a receiver knows us by the signature")
    return value


def _data(value: Any) -> Any:
    """JSON data, of what YAML takes for something other than text."""
    match value:
        case dict():
            return {str(key): _data(item) for key, item in value.items()}
        case list():
            return [_data(item) for item in value]
        case Unquoted(kind="a number", written=written):
            return _number(written)
        case Unquoted(kind="nothing"):
            return None
        case Unquoted():
            return value.written
        case _:
            return value


def _number(written: str) -> int | float | str:
    """As JSON has it; what JSON has no number for, such as 0x1F and .inf, stays a text."""
    digits = written.removeprefix("-")
    if digits.isascii() and digits.isdigit() and (digits == "0" or not digits.startswith("0")):
        return int(written)
    whole, dot, part = digits.partition(".")
    if dot and whole.isascii() and whole.isdigit() and part.isascii() and part.isdigit():
        return float(written)
    return written


def _mailbox(value: Any) -> Any:
    if not isinstance(value, str) or value in (ASSIGNEE, OWNER):
        return value
    name, at, domain = value.rpartition("@")
    if not at or not name or "." not in domain or not value.isascii() or any(c in value for c in " \t,;<>()\"'{}\\"):
        raise ValueError(f"{value!r} can't be written to: expected {TO_EXPECTED}")
    return value


class _Part(BaseModel):
    """A mapping of a step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_serializer(mode="wrap")
    def _without_what_is_not_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = serialize(self)
        return {name: value for name, value in data.items() if value is not None}


class Webhook(_Part):
    """A web server that is told."""

    url: Annotated[str, BeforeValidator(_url), Field(description=URL_EXPECTED)]
    body: Annotated[
        Annotated[dict[str, Any], BeforeValidator(_data), WithJsonSchema(_BODY_SCHEMA)] | None,
        Field(description=BODY_EXPECTED),
    ] = None


class Notify(_Part):
    """A person who is told."""

    to: Annotated[str, BeforeValidator(_mailbox), Field(min_length=1, max_length=254, description=TO_EXPECTED)]
    subject: Annotated[str | None, Field(min_length=1, description="the subject line, a template")] = None
    text: Annotated[str, Field(min_length=1, description="the text, a template")]
