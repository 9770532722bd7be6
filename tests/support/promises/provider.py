"""The provider of the model: what was handed over to it, what it accepted, and what it tells of that."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from engine.rules.doubt import Seen, Sighting
from engine.rules.outcome import Outcome
from promises.ground import Ground
from promises.rows import AttemptId, Step
from schema.states import AttemptOutcome
from workers.channels.channel import LookUpFailed, Message, Sms
from workers.channels.sms.look_up import CLOCKS_APART

#: What it does with a message, and what the worker hears of that.
ACCEPTS: Final = {
    "accepted": (True, AttemptOutcome.ACCEPTED),
    "accepted, and the answer lost": (True, AttemptOutcome.UNANSWERED),
    "lost on the way": (False, AttemptOutcome.UNANSWERED),
    "refused": (False, AttemptOutcome.REFUSED),
    "unsubscribed": (False, AttemptOutcome.REFUSED),
    "refused for now": (False, AttemptOutcome.DEFERRED),
    "no connection": (False, AttemptOutcome.HELD),
    "the account is refused": (False, AttemptOutcome.HELD),
}
ANSWERS: Final = sorted(ACCEPTS)

#: Real seconds until a message that was accepted is in the list: less than the grace time of the settings.
UNLISTED: Final = 300.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that was accepted."""

    id: str
    step: Step
    attempt: AttemptId
    message: Message
    at: float
    """On the ground's own clock."""
    discarded: bool
    """Its content is thrown away at once."""


@dataclass
class Provider:
    """Takes messages, and answers look-ups; it does either only as far as its moods let it."""

    ground: Ground
    accepted: list[Accepted] = field(default_factory=list)
    handed_over: list[AttemptId] = field(default_factory=list)
    mood: str = "answers"
    """Of its list: `answers`, `fails` for now, `refuses` for good."""
    lists_late: bool = False
    discards: bool = False

    def take(self, step: Step, attempt: AttemptId, message: Message, answer: str) -> Outcome:
        """What becomes of a message that is handed over, and what the worker hears."""
        accepts, outcome = ACCEPTS[answer]
        self.handed_over.append(attempt)
        if not accepts:
            suppress = "unsubscribed" if answer == "unsubscribed" else None
            return Outcome(outcome, detail=answer, suppress=suppress, pauses=answer == "the account is refused")
        number = len(self.accepted) + 1
        name = f"SM{number:032}" if isinstance(message, Sms) else message.message_id
        self.accepted.append(Accepted(name, step, attempt, message, self.ground.monotonic(), self.discards))
        return Outcome(outcome, name if outcome is AttemptOutcome.ACCEPTED else None, detail=answer)

    def times(self) -> Counter[Step]:
        """How often each step was accepted."""
        return Counter(one.step for one in self.accepted)

    def of_step(self, step: Step) -> list[Accepted]:
        """What was accepted of a step."""
        return [one for one in self.accepted if one.step == step]

    def texts(self) -> list[Accepted]:
        """The text messages: their delivery is reported."""
        return [one for one in self.accepted if isinstance(one.message, Sms)]

    def look_up(self, message: Message, since: datetime) -> Sighting:
        """What it knows of a message; see workers.channels.channel.Channel."""
        assert isinstance(message, Sms), "an email can't be looked up"
        if self.mood != "answers":
            raise LookUpFailed(f"its list {self.mood}", for_good=self.mood == "refuses")
        same: list[str] = []
        others: list[Seen] = []
        for one in self._listed(message, since):
            if not one.discarded and one.message.body == message.body:
                same.append(one.id)
            else:
                made_at = datetime.fromtimestamp(time.time() - self.ground.monotonic() + one.at, UTC)
                others.append(Seen(one.id, "" if one.discarded else one.message.body, made_at))
        return Sighting(tuple(same), tuple(others))

    def _listed(self, message: Sms, since: datetime) -> Iterable[Accepted]:
        oldest = self.ground.monotonic() - (time.time() - since.timestamp()) - CLOCKS_APART.total_seconds()
        newest = self.ground.monotonic() - (UNLISTED if self.lists_late else 0)
        for one in self.texts():
            if one.message.to == message.to and oldest <= one.at <= newest:
                yield one
