"""What becomes of a row in doubt, by what a look-up at its provider showed."""

from dataclasses import dataclass
from typing import Final, Literal

from schema.states import AttemptOutcome, RowStatus

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


#: What a late answer makes of a row; one that says "accepted" has settled it already (engine/outbox/evidence.py).
BY_ANSWER: Final = {
    AttemptOutcome.HELD: RowStatus.PENDING,
    AttemptOutcome.DEFERRED: RowStatus.PENDING,
    AttemptOutcome.REFUSED: RowStatus.FAILED,
}


def decide_by_answer(outcome: str, detail: str | None) -> Decision | None:
    """An answer that came late is an answer; None: there was none."""
    status = BY_ANSWER.get(AttemptOutcome(outcome))
    return None if status is None else Decision(status, f"not accepted, as a late answer says: {detail or outcome}")


def decide_sms(sighting: Sighting, empty_looks: int, rivals: int) -> Decision:
    """Exactly one match is the message; none, twice, means that there is none; everything else is for a person.

    `empty_looks` is how many look-ups before this one found nothing; `rivals` is how many other attempts of ours in
    doubt a match may belong to just as well.
    """
    if len(sighting.provider_ids) == 1 and not sighting.unclear and not rivals:
        return Decision(RowStatus.SENT, "found at the provider", sighting.provider_ids[0])
    if sighting.provider_ids or sighting.unclear:
        number = len(sighting.provider_ids) + sighting.unclear
        return Decision(RowStatus.REVIEW, f"messages at the provider that may be this one: {number}")
    if empty_looks + 1 >= LOOKS:
        return Decision(RowStatus.PENDING, "the provider knows of no such message")
    return Decision(None, "the provider knows of no such message yet")


def decide_email(guarantee: Literal["at_most_once", "at_least_once"], unanswered: int) -> Decision:
    """SMTP can't be asked (promise P3): `unanswered` is how many attempts of the row had no answer."""
    if guarantee == "at_least_once" and unanswered < LOOKS:
        return Decision(RowStatus.PENDING, "no answer: sent once more, as at_least_once asks")
    return Decision(RowStatus.REVIEW, "the mail server did not answer the final dot; it may have been accepted")
