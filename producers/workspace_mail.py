"""What a workspace says of its messages: who sends, where answers go, how often is tried."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from engine.errors import InvalidInput
from schema.definition.mail import MAX_CC, Cc, Headers, ReplyTo
from schema.definition.senders import From, Guarantee, SenderName, Tries
from schema.definition.templates import check_template

T = TypeVar("T")

MAIL_BOX: Final = TypeAdapter[str](ReplyTo)
COPIES: Final = TypeAdapter[tuple[str, ...]](Annotated[Cc, Field(max_length=MAX_CC)])
SENDER: Final = TypeAdapter[str](From)
SENDER_NAME: Final = TypeAdapter[str](SenderName)
TRIES: Final = TypeAdapter[int](Tries)
GUARANTEE: Final = TypeAdapter[Guarantee](Guarantee)
HEADERS: Final = TypeAdapter[Mapping[str, str]](Headers)


@dataclass(frozen=True, slots=True)
class Mail:
    """What is to be changed of a workspace's messages; None: nothing. An empty text takes a value away."""

    reply_to: str | None = None
    cc: Sequence[str] | None = None
    headers: Mapping[str, str] | None = None
    email_from: str | None = None
    sender_name: str | None = None
    max_tries: int | None = None
    guarantee: str | None = None


def mail_columns(mail: Mail) -> dict[str, str | int | list[str] | None]:
    """Return the values of the columns, by name."""
    if mail.reply_to:
        _valid(MAIL_BOX, "reply_to", mail.reply_to)
    copies = None if mail.cc is None else _valid(COPIES, "cc", list(mail.cc))
    own = None if mail.headers is None else _valid(HEADERS, "headers", dict(mail.headers))
    cc, headers = (None if copies is None else list(copies)), (None if own is None else json.dumps(dict(own)))
    for source in [mail.reply_to or "", *(mail.cc or ())]:
        for problem in check_template(source).problems:
            raise InvalidInput(f"{source!r}: {problem.message}")
    return {
        "reply_to": mail.reply_to,
        "cc": cc,
        "headers": headers,
        "email_from": mail.email_from and _valid(SENDER, "from", mail.email_from),
        "sender_name": mail.sender_name and _valid(SENDER_NAME, "sender_name", mail.sender_name),
        "max_tries": None if mail.max_tries is None else _valid(TRIES, "max_tries", mail.max_tries),
        "guarantee": mail.guarantee and _valid(GUARANTEE, "guarantee", mail.guarantee),
    }


def _valid(reader: TypeAdapter[T], name: str, given: object) -> T:
    """Return a value as it is stored.

    Raises:
        InvalidInput: it can't be used; the message names the field and the value.
    """
    try:
        return reader.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{name} {first['input']!r}: {first['msg'].removeprefix('Value error, ')}") from None
