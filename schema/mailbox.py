"""Addresses as SMTP and the headers want them."""

import re
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from functools import lru_cache
from typing import Final

#: RFC 5321 section 4.1.2 without quoted strings and address literals: ASCII only, as contacts' addresses are kept.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@(?=.{1,255}\Z)[A-Za-z0-9\-][A-Za-z0-9.\-]*")

#: RFC 5322 section 3.2.4, and RFC 2047 section 2: a name that was copied from a header.
_ESCAPED: Final = re.compile(r"\\(.)")
_ENCODED: Final = re.compile(r"=\?[\w-]+\?[bBqQ]\?[^ ?]*\?=")

#: RFC 5322 section 3.2.4: one quoted string; and an address inside a name that is not one, so there are two mailboxes.
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SECOND: Final = re.compile(r"<[^<>]*@[^<>]*>")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an email is from."""

    name: str
    address: str


def check_address(address: str) -> str:
    """Give an address that can stand in a command and in a header.

    Raises:
        ValueError: this one can't.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError("expected an email address in ASCII, such as name@example.com")
    return address


@lru_cache(maxsize=256)
def read_sender(sender: str) -> Sender:
    """Read `Name <address>` or an address, as people paste them: `Acme, Inc. <info@example.com>` needs no quotes.

    Raises:
        ValueError: there is no address in it that can be used.
    """
    if _CONTROL.search(sender):
        raise ValueError("control characters in a sender")
    name, bracket, rest = sender.strip().rpartition("<")
    if not bracket:
        return Sender("", check_address(rest.strip()))
    if not rest.endswith(">"):
        raise ValueError("expected `Name <address>`")
    return Sender(_name(name.strip()), check_address(rest[:-1].strip()))


def _name(written: str) -> str:
    """Return a display name as people read it: commas, colons and brackets need no quotes."""
    quoted = _QUOTED.fullmatch(written)
    if quoted:
        written = _ESCAPED.sub(r"\1", quoted[1])
    elif _SECOND.search(written):
        raise ValueError("expected one address, and there are two: write them as a list")
    if not _ENCODED.search(written):
        return written
    try:
        name = str(make_header(decode_header(written)))
    except (LookupError, ValueError, MessageError):
        raise ValueError("the name can't be decoded (RFC 2047)") from None
    if _CONTROL.search(name):
        raise ValueError("control characters in a sender")
    return name
