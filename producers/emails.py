"""Email addresses, by the rules of `email-validator` and without looking at DNS."""

import re
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

#: RFC 5322 section 3.2.3: dot-atom.
_DOT_ATOM: Final = re.compile(r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]+)*")

#: RFC 2142: `Info@` and `info@` are the same mailbox; the library lower-cases these.
_ROLES: Final = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)

#: An address of at most so many characters has no part that is too long, in whatever encoding
#: (RFC 5321 section 4.5.3.1: 64 octets before the @, 254 in all).
_SHORT: Final = 63


def email_address(value: str) -> str:
    """Normalise an address: the domain in lower case, an international one in its ASCII form (RFC 5890).

    The answer is ASCII throughout, since not every SMTP server takes anything else (RFC 6531).

    Raises:
        ValueError: it is not a valid address; the message says what is wrong.
    """
    local, at, domain = value.rpartition("@")
    if at and len(value) <= _SHORT and _DOT_ATOM.fullmatch(local) and local.lower() not in _ROLES:
        ascii_domain = _domain(domain)
        if ascii_domain is not None and len(local) + len(at) + len(ascii_domain) <= _SHORT:
            return f"{local}@{ascii_domain}"
    return email_address_by_library(value)


def email_address_by_library(value: str) -> str:
    """Normalise an address with `email-validator` alone.

    Raises:
        ValueError: it is not a valid address; the message says what is wrong.
    """
    try:
        valid = validate_email(value, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        said = str(error).rstrip(".")
        raise ValueError(f"is not valid: {said[:1].lower()}{said[1:]}") from None
    if valid.ascii_email is None:
        raise ValueError("is not valid: the part before the @-sign must be ASCII")
    return valid.ascii_email


@lru_cache(maxsize=65_536)
def _domain(domain: str) -> str | None:
    """The ASCII form of a valid domain; None: the library has to look at the whole address."""
    try:
        return validate_email(f"a@{domain}", check_deliverability=False, allow_smtputf8=False, strict=True).ascii_domain
    except EmailNotValidError:
        return None
