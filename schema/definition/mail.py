"""What sequences and steps say about the headers of their email."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from schema.mailbox import read_sender

#: At most so many, and so long (RFC 5322 section 2.1.1).
MAX_CC: Final = 10
MAX_HEADERS: Final = 20
MAX_VALUE: Final = 900

#: Headers that carry no meaning for mail servers, beside those that begin with X-. Cadenza writes all others itself.
SAFE: Final = frozenset({"comments", "keywords", "organization", "sensitivity", "importance", "priority"})

#: X- headers that mail servers and auto-responders act on. And headers by which a provider adds recipients, or drops
#: the message and reports it as delivered: of SendGrid (X-SMTPAPI), Mailgun and Mandrill (X-MC-BccAddress), by their
#: manuals of sending by SMTP.
UNSAFE: Final = frozenset(
    {
        "x-auto-response-suppress",
        "x-forwarded-to",
        "x-mailgun-drop-message",
        "x-mailgun-recipient-variables",
        "x-mc-bccaddress",
        "x-original-to",
        "x-smtpapi",
        "x-spam-status",
    }
)

REPLY_TO_EXPECTED: Final = "where answers go, a template: Sales <sales@example.com>"
CC_EXPECTED: Final = f"one address, or a list of up to {MAX_CC}, templates: boss@example.com"
HEADERS_EXPECTED: Final = "headers of your own: {X-Campaign: spring}; names begin with X-, or are " + ", ".join(
    sorted(name.capitalize() for name in SAFE)
)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TEMPLATE: Final = ("{{", "{%")


def is_template(text: str) -> bool:
    """Return whether a text is filled in for each contact."""
    return any(mark in text for mark in _TEMPLATE)


def _mailbox(value: str) -> str:
    """Return a mailbox as it is written. A template is checked when it is filled in."""
    if _CONTROL.search(value):
        raise ValueError("it has a control character")
    if not is_template(value):
        read_sender(value)
    return value


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) > MAX_HEADERS:
        raise ValueError(f"at most {MAX_HEADERS} headers")
    names = [name.lower() for name in value]
    if len(set(names)) < len(names):
        raise ValueError("a header stands there twice")
    for name, text in value.items():
        known = name.lower()
        if not _NAME.fullmatch(name) or known in UNSAFE or not (known.startswith("x-") or known in SAFE):
            raise ValueError(f"the header {name!r} can't be set")
        if _CONTROL.search(text) or not 0 < len(text) <= MAX_VALUE:
            raise ValueError(f"the header {name!r} is one line of 1 to {MAX_VALUE} characters")
    return value


ReplyTo: TypeAlias = Annotated[str, AfterValidator(_mailbox)]
Cc: TypeAlias = Annotated[
    tuple[ReplyTo, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": MAX_CC}]},
        mode="validation",
    ),
]
Headers: TypeAlias = Annotated[Mapping[str, str], AfterValidator(_headers)]
