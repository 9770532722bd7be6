"""A message as a sandbox provider has received it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody would have received."""

    channel: str
    """`sms` or `email`."""
    to: str
    subject: str | None
    """Of an email."""
    text: str | None
    """The body of an SMS, the text of an email."""
    html: str | None
    at: datetime
    """Sequence time, UTC."""
    step: str
    """The key of the step."""
    enrollment: int
