"""What Twilio checks before it accepts a message, with the magic numbers of its test credentials."""

import re
from collections.abc import Container
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from deploy.sandbox.twilio_error import TwilioError

E164: Final = re.compile(r"\+[1-9]\d{6,14}")
#: A number, a short code, or an alphanumeric sender of up to 11 characters with a letter in it.
SENDER_ID: Final = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9 +\-_&]{1,11}")
MESSAGING_SERVICE_SID: Final = re.compile(r"MG[0-9a-fA-F]{32}")

#: twilio.com/docs/iam/test-credentials: what these recipients and senders are refused with.
MAGIC_TO: Final = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM: Final = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}

MAX_BODY = 1600
MAX_MEDIA = 10


@dataclass(frozen=True, slots=True)
class MessageForm:
    """The parameters of a request to send that the sandbox looks at; an empty one counts as none."""

    to: str | None
    sender: str | None
    messaging_service_sid: str | None
    body: str
    media: tuple[str, ...]
    status_callback: str | None

    @classmethod
    def read(cls, encoded: bytes) -> "MessageForm":
        """Read a form (application/x-www-form-urlencoded)."""
        given: dict[str, str] = {}
        media: list[str] = []
        for name, value in parse_qsl(encoded.decode("ascii", "replace")):
            if name == "MediaUrl":
                media.append(value)
            else:
                given[name] = value
        return cls(
            to=given.get("To"),
            sender=given.get("From"),
            messaging_service_sid=given.get("MessagingServiceSid"),
            body=given.get("Body", ""),
            media=tuple(media),
            status_callback=given.get("StatusCallback"),
        )


def check_message(form: MessageForm, unsubscribed: Container[str]) -> str:
    """Check a message as Twilio does before accepting it; gives the recipient.

    Raises:
        TwilioError: Twilio would refuse it.
    """
    if form.to is None:
        raise TwilioError(21604)
    if not E164.fullmatch(form.to):
        raise TwilioError(21211, form.to)
    _check_sender(form)
    if not form.body and not form.media:
        raise TwilioError(21602)
    if len(form.body) > MAX_BODY:
        raise TwilioError(21617)
    if len(form.media) > MAX_MEDIA:
        raise TwilioError(21623)
    if not all(url.startswith(("http://", "https://")) for url in form.media):
        raise TwilioError(21620)
    if form.status_callback is not None and not is_loopback(form.status_callback):
        raise TwilioError(21609, form.status_callback)
    if form.to in MAGIC_TO:
        raise TwilioError(MAGIC_TO[form.to], form.to)
    if form.to in unsubscribed:
        raise TwilioError(21610)
    return form.to


def _check_sender(form: MessageForm) -> None:
    if form.messaging_service_sid is not None and not MESSAGING_SERVICE_SID.fullmatch(form.messaging_service_sid):
        raise TwilioError(21701, form.messaging_service_sid)
    if form.sender is None:
        if form.messaging_service_sid is None:
            raise TwilioError(21603)
        return
    if not SENDER_ID.fullmatch(form.sender):
        raise TwilioError(21212, form.sender)
    if form.sender in MAGIC_FROM:
        raise TwilioError(MAGIC_FROM[form.sender], form.sender)


def is_loopback(url: str) -> bool:
    """Whether a URL is one that the sandbox may call: over HTTP, on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or host is None or not url.isascii() or not url.isprintable():
        return False
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
