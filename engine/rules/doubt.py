"""What becomes of a row in doubt, by what a look-up at its provider showed."""

from dataclasses import dataclass
from typing import Final, Literal

from schema.states import AttemptOutcome, RowStatus

#: So many look-ups that find nothing prove that a message was never accepted.
LOOKS: Final = 2

#: What says for certain that an attempt was not accepted.
NOT_ACCEPTED: Final = (AttemptOutcome.REFUSED, AttemptOutcome.DEFERRED, AttemptOutcome.HELD)


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


def decide_late_word(outcome: str | None) -> Decision | None:
    """What its worker told of the attempt after the row was taken from it; None: nothing that settles it."""
    if outcome in NOT_ACCEPTED:
        return Decision(RowStatus.PENDING, "not accepted, as its worker told late")
    return None
