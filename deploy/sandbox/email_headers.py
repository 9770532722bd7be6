"""The few headers of an email that the ledger shows, found without parsing the rest."""

import re
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Final

HEADER: Final = re.compile(rb"^(message-id|subject):[ \t]*((?:.*\r\n)(?:[ \t].*\r\n)*)", re.IGNORECASE | re.MULTILINE)
FOLD: Final = re.compile(r"\r\n(?=[ \t])")


def read_headers(content: bytes) -> tuple[str | None, str | None]:
    """The Message-ID with its <>, and the subject, decoded (RFC 5322, RFC 2047); None for one that is missing."""
    end = content.find(b"\r\n\r\n")
    found = {
        name.lower(): FOLD.sub("", value.decode("utf-8", "replace")).strip()
        for name, value in HEADER.findall(content[: end + 2] if end >= 0 else content)
    }
    return found.get(b"message-id"), _decoded(found.get(b"subject"))


def _decoded(value: str | None) -> str | None:
    if value is None or "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value
