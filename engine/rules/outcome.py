"""How an attempt ended, as a channel tells it. One place writes it down (engine/outbox/settle.py)."""

from dataclasses import dataclass

from schema.states import AttemptOutcome


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider answered, or that it didn't."""

    outcome: AttemptOutcome
    provider_id: str | None = None
    error_code: str | None = None
    """The provider's own: a Twilio error code, an SMTP reply code or enhanced status code."""
    detail: str = ""
    """What was said, for an operator: never an address, a body or a secret."""
    retry_after: float | None = None
    """Real seconds that the provider asked to wait."""
    suppress: str | None = None
    """The reason for which this recipient must not be contacted on this channel again."""
    pauses: bool = False
    """Nothing is wrong with the message: the provider would refuse every other one of this account too."""
    come_again: bool = False
    """The mail server asks to come again later, as greylisting does (RFC 6647): see greylisting.py."""
