"""An email as the bytes that are sent (RFC 5322, MIME).

Written by hand, because building an EmailMessage takes most of the time that a message takes (over 1 ms of 1.3),
and because the standard library of some Pythons that we run on lets line breaks into headers (CVE-2024-6923,
CVE-2026-1299). Here every header value passes `_one_line`, and what is equal gives equal bytes.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final

from schema.mailbox import Sender, check_address, read_sender
from workers.channels.channel import Email

CRLF: Final = b"\r\n"

#: RFC 5322 section 2.1.1: a line has at most 998 octets, and should have 78 in a header.
LONGEST_LINE: Final = 998
HEADER_LINE: Final = 78

#: UTF-8 octets in an encoded word: with base64 and its frame 64 characters, so that the first fits behind `Subject: `
#: into the 76 that RFC 2047 section 2 allows.
_WORD_OCTETS: Final = 39

#: The octets of ASCII, and those of them that no 7bit body may hold (RFC 2045 section 2.7).
_ASCII: Final = bytes(range(128))
_CONTROLS: Final = bytes(octet for octet in range(32) if octet not in b"\t\r\n") + b"\x7f"

_BLANK: Final = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_NAME_AS_IT_IS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \-]*")


def build(email: Email) -> bytes:
    """The message of an email: headers and body, all ASCII, lines ending in CRLF.

    Raises:
        ValueError: the sender or the recipient is not an email address.
    """
    headers = (
        f"From: {_from(email.sender)}\r\n"
        f"To: {check_address(email.to)}\r\n"
        f"{_copies(email)}"
        f"Subject: {_unstructured(email.subject, len('Subject: '))}\r\n"
        f"Date: {_date(email.date.replace(microsecond=0), email.date.utcoffset())}\r\n"
        f"Message-ID: {_one_line(email.message_id)}\r\n"
        f"{_others(email)}"
        "MIME-Version: 1.0\r\n"
    )
    parts = [_part(kind, text) for kind, text in (("plain", email.text), ("html", email.html)) if text is not None] or [
        _part("plain", "")
    ]
    if len(parts) == 1:
        return headers.encode() + parts[0]
    boundary = _boundary(email.message_id, parts)
    opening = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
    delimiter = CRLF + b"--" + boundary.encode()
    return b"".join(
        [
            headers.encode(),
            opening.encode(),
            *(piece for part in parts for piece in (delimiter, CRLF, part)),
            delimiter,
            b"--",
            CRLF,
        ]
    )


def _copies(email: Email) -> str:
    """Write Cc and Reply-To, where there are any."""
    if not email.cc and email.reply_to is None:
        return ""
    cc = ",\r\n ".join([_from(mailbox) for mailbox in email.cc])
    reply_to = "" if email.reply_to is None else f"Reply-To: {_from(email.reply_to)}\r\n"
    return f"Cc: {cc}\r\n{reply_to}" if cc else reply_to


def _others(email: Email) -> str:
    """Write the headers that not every email has. A URI is neither folded nor encoded."""
    lines = [f"{name}: {_unstructured(value, len(name) + 2)}\r\n" for name, value in email.headers]
    if email.list_unsubscribe:
        uris = ",\r\n ".join([f"<{_BLANK.sub('', uri)}>" for uri in email.list_unsubscribe])
        lines.append(f"List-Unsubscribe: {uris}\r\n")
    if email.one_click:
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
    return "".join(lines)


@lru_cache(maxsize=256)
def _from(sender: str) -> str:
    return _mailbox(read_sender(sender))


@lru_cache(maxsize=64)
def _date(date: datetime, _offset: timedelta | None) -> str:
    """Write whole seconds, the same for all emails of one; equal moments of other time zones read differently."""
    return format_datetime(date)


def _part(kind: str, text: str) -> bytes:
    encoding, body = _encode(text)
    return _part_headers(kind, encoding) + body


@lru_cache(maxsize=16)
def _part_headers(kind: str, encoding: str) -> bytes:
    return f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()


def _encode(text: str) -> tuple[str, bytes]:
    """Encode a body as the shortest of what fits: 7bit, quoted-printable or base64. It ends in CRLF."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    body = text.replace("\n", "\r\n").encode("utf-8", "replace")
    others = 0 if text.isascii() else len(body.translate(None, _ASCII))
    if not others and len(body.translate(None, _CONTROLS)) == len(body) and _lines_fit(body):
        return "7bit", body
    if others * 6 > len(body):
        return "base64", _base64_lines(body)
    return "quoted-printable", b2a_qp(body)


def _lines_fit(body: bytes) -> bool:
    start = 0
    while len(body) - start > LONGEST_LINE:
        end = body.rfind(CRLF, start, start + LONGEST_LINE + len(CRLF))
        if end < 0:
            return False
        start = end + len(CRLF)
    return True


def _base64_lines(body: bytes) -> bytes:
    encoded = b64encode(body)
    return CRLF.join([encoded[start : start + 76] for start in range(0, len(encoded), 76)]) + CRLF


def _boundary(message_id: str, parts: list[bytes]) -> str:
    """A boundary that is the same at every try and occurs in no part, whoever wrote the text."""
    boundary = message_id
    while True:
        boundary = f"=_{sha256(boundary.encode('utf-8', 'replace')).hexdigest()[:40]}"
        if not any(boundary.encode() in part for part in parts):
            return boundary


def _mailbox(sender: Sender) -> str:
    """RFC 5322 section 3.4: the name as atoms, a quoted string or encoded words, and the address behind it."""
    name = _one_line(sender.name)
    if not name:
        return sender.address
    if not _as_it_is(name):
        return f"{_encoded_words(name)}\r\n <{sender.address}>"
    if not _NAME_AS_IT_IS.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _folded([*name.split(" "), f"<{sender.address}>"], len("From: "))


def _unstructured(value: str, taken: int) -> str:
    """A header value of any text, folded; `taken` characters of the first line are used up."""
    value = _one_line(value)
    if not _as_it_is(value):
        return _encoded_words(value)
    if taken + len(value) <= HEADER_LINE:
        return value
    words = value.split(" ")
    return _folded(words, taken) if max(map(len, words)) < HEADER_LINE - taken else _encoded_words(value)


def _as_it_is(value: str) -> bool:
    """Whether no reader could take it for anything else."""
    return value.isascii() and "=?" not in value


def _folded(words: list[str], taken: int) -> str:
    """Break a line before a word that no longer fits (RFC 5322 section 2.2.3)."""
    folded, room = [words[0]], HEADER_LINE - taken - len(words[0])
    for word in words[1:]:
        room -= len(word) + 1
        if room < 0:
            folded.append("\r\n")
            room = HEADER_LINE - len(word) - 1
        folded += (" ", word)
    return "".join(folded)


def _one_line(value: str) -> str:
    """Without control characters and line breaks: what can't start another header."""
    return _BLANK.sub(" ", value).strip(" ")


def _encoded_words(value: str) -> str:
    """RFC 2047 section 2: base64 of UTF-8, one word a line, each of whole characters (section 5)."""
    return "\r\n ".join(f"=?utf-8?b?{b64encode(octets).decode()}?=" for octets in _chunks(value))


def _chunks(value: str) -> Iterator[bytes]:
    octets = value.encode("utf-8", "replace")
    start = 0
    while start < len(octets):
        end = min(start + _WORD_OCTETS, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            end -= 1
        yield octets[start:end]
        start = end
