"""What sequences and steps say about who sends, how often is tried, and how an email without an answer is handled."""

import re
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from schema.definition.mail import is_template
from schema.definition.numbers import whole
from schema.mailbox import read_sender

#: As the table of workspaces bounds it.
MAX_TRIES: Final = 20
MAX_SENDER: Final = 320
MAX_SENDER_NAME: Final = 100

FROM_EXPECTED: Final = "the sender of email, no template: Sales <sales@example.com>"
SENDER_NAME_EXPECTED: Final = f"the name that email is from: text of 1 to {MAX_SENDER_NAME} characters, no template"
TRIES_EXPECTED: Final = f"how many answers 'not now' a message may get: 1 to {MAX_TRIES}"
GUARANTEE_EXPECTED: Final = "at_most_once or at_least_once: what becomes of an email whose end nobody answered"

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _plain(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("it has a control character")
    if is_template(value):
        raise ValueError("it is no template: mail servers check a sender's domain, so it is the same for all contacts")
    return value


def _sender(value: str) -> str:
    read_sender(_plain(value))
    return value.strip()


def _name(value: str) -> str:
    if not _plain(value).strip():
        raise ValueError("it is only white space")
    return value.strip()


From: TypeAlias = Annotated[str, Field(max_length=MAX_SENDER), AfterValidator(_sender)]
SenderName: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_SENDER_NAME), AfterValidator(_name)]
Tries: TypeAlias = Annotated[
    int,
    BeforeValidator(whole),
    Field(strict=True, ge=1, le=MAX_TRIES),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_TRIES}),
]
Guarantee: TypeAlias = Literal["at_most_once", "at_least_once"]
