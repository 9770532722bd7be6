"""Addresses and names as SMTP and the headers want them."""

import re
from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

#: What most addresses are; all others are looked at more closely. RFC 5321 section 4.1.2, without quoted strings.
_PLAIN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[A-Za-z0-9.\-]{1,255}")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an email is from."""

    name: str
    address: str


def wire_address(address: str) -> str:
    """An address as it is sent: its domain in ASCII (RFC 5890); its local part as it is (RFC 6531, if not ASCII).

    Raises:
        ValueError: it is no address that SMTP could carry.
    """
    if _PLAIN.fullmatch(address):
        return address
    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("not an email address") from None
    return f"{checked.local_part}@{checked.ascii_domain}"


@lru_cache(maxsize=256)
def read_sender(sender: str) -> Sender:
    """Read `Name <address>` or an address.

    Raises:
        ValueError: there is no address in it.
    """
    if any(ord(character) < 32 for character in sender):
        raise ValueError("control characters in a sender")
    name, address = parseaddr(sender)
    return Sender(name, wire_address(address))
