"""The sandbox's Twilio account."""

from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """Who may send, and to whom not."""

    sid: str
    token: str = field(repr=False)
    unsubscribed: frozenset[str] = frozenset()
    """Numbers that are refused with 21610."""
    in_flight: Counter[str] = field(default_factory=Counter)
    """Requests to send that are not answered yet, by recipient."""
    authorization: str = field(init=False, repr=False)
    """The header that a client with the right credentials sends (RFC 7617)."""

    def __post_init__(self) -> None:
        """Prepare the header once, not at every request."""
        self.authorization = "Basic " + b64encode(f"{self.sid}:{self.token}".encode()).decode()
