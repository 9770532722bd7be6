"""Addresses as SMTP and the headers want them."""

import re
from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache
from typing import Final

#: RFC 5321 section 4.1.2 without quoted strings and address literals: ASCII only, as contacts' addresses are kept.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9.\-]{1,255}")

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
        raise ValueError("not an email address in ASCII")
    return address


@lru_cache(maxsize=256)
def read_sender(sender: str) -> Sender:
    """Read `Name <address>` or an address.

    Raises:
        ValueError: there is no address in it that can be used.
    """
    if _CONTROL.search(sender):
        raise ValueError("control characters in a sender")
    name, address = parseaddr(sender)
    return Sender(name, check_address(address))
