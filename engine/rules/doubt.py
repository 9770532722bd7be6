"""What becomes of a row in doubt, by what a look-up at its provider showed."""

from dataclasses import dataclass
from typing import Final, Literal

from schema.states import RowStatus

#: So many look-ups that find nothing prove that a message was never accepted.
LOOKS: Final = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a provider knows of a message."""

    provider_ids: tuple[str, ...] = ()
    """Messages that may be the one, and are no other attempt's."""
    unclear: int = 0
    """Messages to the same recipient whose content the provider has thrown away."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the row; `status` None: look again later."""

    status: RowStatus | None
    reason: str
    provider_id: str | None = None


def decide_sms(sighting: Sighting, empty_looks: int) -> Decision:
    """Exactly one match is the message; none, twice, means that there is none; everything else is for a person.

    `empty_looks` is how many look-ups before this one found nothing.
    """
    if len(sighting.provider_ids) == 1 and not sighting.unclear:
        return Decision(RowStatus.SENT, "found at the provider", sighting.provider_ids[0])
    if sighting.provider_ids or sighting.unclear:
        number = len(sighting.provider_ids) + sighting.unclear
        return Decision(RowStatus.REVIEW, f"{number} messages at the provider may be this one")
    if empty_looks + 1 >= LOOKS:
        return Decision(RowStatus.PENDING, "the provider knows of no such message")
    return Decision(None, "the provider knows of no such message yet")


def decide_email(guarantee: Literal["at_most_once", "at_least_once"], unanswered: int) -> Decision:
    """SMTP can't be asked (promise P3): `unanswered` is how many attempts of the row had no answer."""
    if guarantee == "at_least_once" and unanswered < LOOKS:
        return Decision(RowStatus.PENDING, "no answer: sent once more, as at_least_once asks")
    return Decision(RowStatus.REVIEW, "the mail server did not answer the final dot; it may have been accepted")
