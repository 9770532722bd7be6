"""What becomes of a row in doubt, by what a look-up at its provider showed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from schema.counted import counted
from schema.definition.senders import Guarantee
from schema.states import AttemptOutcome, RowStatus

#: So many look-ups that find nothing prove that a message was never accepted.
LOOKS: Final = 2

#: Error codes of attempts that Twilio answered with HTTP 500 or 503. It has ended the request, and may have taken the
#: message (twilio.com/docs/api/errors/20500). After 502 and 504 the request may still be under way.
SERVER_ERRORS: Final = ("20500", "20503", "500", "503")

#: Real seconds from such an answer to the first look-up. The second follows an interval later: a message is made within
#: MADE_WITHIN.
LOOK_AFTER_ERROR: Final = 3.0

#: What says for certain that an attempt was not accepted.
NOT_ACCEPTED: Final = (AttemptOutcome.REFUSED, AttemptOutcome.DEFERRED, AttemptOutcome.HELD)

#: Real seconds after an attempt in which look-ups that fail are made again; after that a person has to look.
PATIENCE: Final = 86_400.0

#: How long after its attempt had ended a provider may say that a message was made.
MADE_WITHIN: Final = timedelta(minutes=1)

#: So many of a provider's ids are told to a person.
TOLD: Final = 5

#: What Twilio puts before the text of a trial account's messages, and tells as a part of it.
TRIAL: Final = "Sent from your Twilio trial account - "


@dataclass(frozen=True, slots=True)
class Seen:
    """A message that a provider knows of."""

    provider_id: str
    text: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a provider knows of a message."""

    provider_ids: tuple[str, ...] = ()
    """Messages that may be the one: to its recipient, made since, with its text."""
    others: tuple[Seen, ...] = ()
    """Others to its recipient, made since."""
    error_codes: Mapping[str, str] = field(default_factory=dict)
    """The provider's codes of those in `provider_ids` that it could not deliver, by their ids."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the row; `status` None: look again later."""

    status: RowStatus | None
    reason: str
    provider_id: str | None = None


def decide_sms(
    matches: Collection[str], strangers: Collection[str], empty_looks: int, *, has_rivals: bool = False
) -> Decision:
    """Exactly one match is the message; none, twice, means that there is none; everything else is for a person.

    `matches` and `strangers` (see `strangers`) are no other attempt's. `empty_looks` is how many look-ups before this
    one found nothing. `has_rivals`: a match may as well be the message of another row.
    """
    if len(matches) == 1 and not has_rivals:
        return Decision(RowStatus.SENT, "found at the provider", next(iter(matches)))
    if candidates := [*matches, *strangers]:
        told = ", ".join(candidates[:TOLD]) + (", ..." if len(candidates) > TOLD else "")
        return Decision(
            RowStatus.REVIEW, f"{counted(len(candidates), 'message')} at the provider may be this one: {told}"
        )
    if empty_looks + 1 >= LOOKS:
        return Decision(RowStatus.PENDING, "the provider knows of no such message")
    return Decision(None, "the provider knows of no such message yet")


def strangers(
    others: Collection[Seen], known: Collection[str], texts: Collection[str], ended_at: datetime
) -> list[str]:
    """Messages that nothing explains, made when the attempt was: the provider may have changed its text, or thrown it
    away. `known` are the ids of other attempts, `texts` what other attempts to the recipient in doubt say.
    """
    said = {comparable(text) for text in texts}
    return [
        other.provider_id
        for other in others
        if other.provider_id not in known
        and comparable(other.text) not in said
        and other.made_at <= ended_at + MADE_WITHIN
    ]


def comparable(text: str) -> str:
    """A text without what a provider may change of it."""
    return "\n".join(text.removeprefix(TRIAL).split("\r\n")).strip()


def decide_without_look_up(says: str, for_good: bool, age: float) -> Decision:
    """The provider can't be asked: for good, or for now, since `age` real seconds after the attempt."""
    if for_good or age > PATIENCE:
        return Decision(RowStatus.REVIEW, f"can't be looked up: {says}")
    return Decision(None, says)


def decide_email(guarantee: Guarantee, unanswered: int) -> Decision:
    """SMTP can't be asked (promise P3): `unanswered` is how many attempts of the row had no answer."""
    if guarantee == "at_least_once" and unanswered < LOOKS:
        return Decision(RowStatus.PENDING, "no answer: sent once more, as at_least_once asks")
    return Decision(RowStatus.REVIEW, "the mail server did not answer the final dot; it may have been accepted")


def decide_late_word(outcome: str | None) -> Decision | None:
    """What its worker told of the attempt after the row was taken from it; None: nothing that settles it."""
    if outcome in NOT_ACCEPTED:
        return Decision(RowStatus.PENDING, "not accepted, as its worker told late")
    return None
