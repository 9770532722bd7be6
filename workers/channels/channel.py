"""What a channel is, and what it carries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Sms:
    """A text message, or an MMS when it has media."""

    to: str
    """E.164."""
    body: str
    media_urls: tuple[str, ...] = ()
    status_callback: str | None = None
    """Where the provider tells what becomes of it; names the attempt (engine/rules/token.py)."""


@dataclass(frozen=True, slots=True)
class Email:
    """An email, with text, HTML or both. Equal emails are equal bytes, so that a second try repeats the first."""

    to: str
    sender: str
    """`Name <address>` or an address."""
    message_id: str
    """With its <>: the same at every try (RFC 5322 section 3.6.4)."""
    date: datetime
    """What the Date header says, UTC: the same at every try."""
    subject: str
    text: str | None
    html: str | None
    reply_to: str | None = None
    """`Name <address>` or an address."""
    cc: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Others, in their order."""
    list_unsubscribe: tuple[str, ...] = ()
    """URIs by which the recipient unsubscribes (RFC 2369)."""
    one_click: bool = False
    """Whether a POST to the first URI unsubscribes (RFC 8058)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a webhook. Equal calls are equal bytes but for the time and the signature."""

    to: str
    """The URL."""
    key: str
    """The same at every try, and no other row's."""
    body: str
    """JSON."""
    secrets: tuple[str, ...]
    """What it is signed with."""


Message: TypeAlias = Sms | Email | Call


class LookUpFailed(Exception):  # noqa: N818 (a fact, as in engine.errors)
    """The provider can't be asked for a message: now, or `for_good`."""

    def __init__(self, message: str, *, for_good: bool) -> None:
        """Say why."""
        super().__init__(message)
        self.for_good = for_good


class Sender(Protocol):
    """Hands messages over. Used in one event loop, for many messages at once."""

    async def send(self, message: Message) -> Outcome:
        """Hand one message over, wait for the answer, and return how it ended.

        It ends within the provider's time-out and never raises for what a provider does.
        """
        ...


class Channel(Sender, Protocol):
    """Hands messages of one kind over. Only `send` and `close` belong to the event loop."""

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """What the provider knows of a message that was handed over at `since` (UTC) or later. For one thread.

        Raises:
            LookUpFailed: it can't be asked.
        """
        ...

    def check(self) -> str:
        """Connect and show the credentials, send nothing; say what was found.

        Raises:
            Unavailable: the provider can't be reached, or refuses the credentials.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
