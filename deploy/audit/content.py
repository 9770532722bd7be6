"""Whether what a provider accepted is what the attempt says was handed over."""

import re
from email import message_from_bytes
from email.message import Message
from typing import Final

from deploy.audit.book import Attempt
from deploy.audit.match import sms_content
from deploy.sandbox.ledger import Entry
from producers.contact_erasing import ERASED

_NEWLINES: Final = re.compile(r"\r\n?")
_BLANK: Final = re.compile(r"\s+")


def difference(entry: Entry, attempt: Attempt) -> str | None:
    """What differs, in words; None: nothing does."""
    if entry.channel != attempt.channel:
        return "accepted on another channel than it was handed over on"
    if attempt.recipient == ERASED:
        return None  # its contact was erased
    if entry.to != attempt.recipient:
        return "accepted for another recipient than it was handed over for"
    if not attempt.payload:
        return None  # the database was restored, and knows no more than that it was accepted
    if entry.channel == "sms":
        same = (entry.to, entry.body, entry.media) == sms_content(attempt)
        return None if same else "accepted with another text or other media than were handed over"
    if _line(entry.subject) != _line(attempt.payload.get("subject")):
        return "accepted with another subject than was handed over"
    if _parts(entry) != {kind: _text(attempt.payload.get(kind)) for kind in ("text", "html")}:
        return "accepted with another text or HTML than was handed over"
    return None


def _parts(entry: Entry) -> dict[str, str | None]:
    """The text and the HTML of an email as it came in, decoded."""
    source = (entry.raw or "").encode("utf-8", "surrogateescape")
    found: dict[str, str | None] = {"text": None, "html": None}
    for part in message_from_bytes(source).walk():
        kind = {"text/plain": "text", "text/html": "html"}.get(part.get_content_type())
        if kind is not None and found[kind] is None:
            found[kind] = _text(_decoded(part))
    return found


def _decoded(part: "Message[str, str]") -> str:
    content = part.get_payload(decode=True)
    return content.decode(part.get_content_charset("utf-8"), "replace") if isinstance(content, bytes) else ""


def _text(value: str | None) -> str | None:
    """With line feeds, and without the last ones: a body on the wire always ends with a line break."""
    return None if value is None else _NEWLINES.sub("\n", value).rstrip("\n")


def _line(value: str | None) -> str:
    """A header has no line breaks, and blanks where it is folded."""
    return _BLANK.sub(" ", value or "").strip()
