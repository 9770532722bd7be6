"""Magic mailboxes: local parts that the sandbox's SMTP server refuses, each in its way (RFC 3463 codes)."""

from typing import Final

#: Refused at RCPT. `+anything` may follow, so that there can be many of each: bounce+1@example.com.
AT_RCPT: Final = {
    "bounce": "550 5.1.1 no such mailbox here",
    "disabled": "550 5.2.1 this mailbox is disabled",
    "blocked": "550 5.7.1 the sender is blocked by policy",
    "full": "452 4.2.2 this mailbox is full",
    "defer": "451 4.7.1 try again later",
    "greylist": "451 4.7.1 greylisted, try again",
    "busy": "421 4.3.2 the service is too busy",
}

#: Refused after the final dot.
AT_DOT: Final = {
    "spam": "554 5.7.1 this looks like spam",
    "later": "451 4.3.0 could not be queued, try again later",
}


def mailbox(address: str) -> str:
    """The part of an address by which it is magic."""
    return address.rpartition("@")[0].partition("+")[0].casefold()
