"""A worker of the model: what workers/delivery does, one thing at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.outbox.begin import Attempt, begin, still_good
from engine.outbox.claim import Claimed, claim
from engine.outbox.settle import Ending
from engine.rules.outcome import Outcome
from engine.settings import Settings
from promises.ground import Ground
from promises.promises import Promises
from promises.provider import Provider
from schema.states import AttemptOutcome
from workers.delivery.pipeline import _ending
from workers.delivery.prepare import Prepare
from workers.delivery.prepared import Prepared
from workers.delivery.settler import Settler


@dataclass
class Worker:
    """Holds rows, between the engine and the provider."""

    ground: Ground
    settings: Settings
    provider: Provider
    promises: Promises
    prepare: Prepare
    settler: Settler
    begun: list[Prepared] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def take(self, ids: Sequence[int]) -> None:
        """Claim those of the rows that may go out now, make messages out of them, and begin their attempts."""
        lease_until = self.ground.monotonic() + self.settings.lease_seconds
        with self.ground.database.transaction() as session:
            rows = claim(session, ids)
            self.promises.claimed(rows)
            attempts = [self._prepare(row, lease_until) for row in rows]
            begin(session, attempts, self.settings.lease_seconds)

    def _prepare(self, row: Claimed, lease_until: float) -> Attempt:
        prepared = self.prepare(row, self.ground.clock.lateness(row.due_at), lease_until)
        if isinstance(prepared, Prepared):
            self.begun.append(prepared)
            return Attempt(row.id, row.fence, row.recipient, prepared.payload, 0.0)
        self.endings.append(prepared)
        return Attempt(row.id, row.fence, None, None, 0.0)

    def hand_over(self, answer: str, *, held_up: bool) -> None:
        """Hand one row over, at once or after having been held up, if it still may go."""
        prepared = self.begun.pop(0)
        if self.ground.monotonic() + self.settings.provider_timeout > prepared.lease_until:
            outcome = Outcome(AttemptOutcome.HELD, detail="the lease was too short to risk a time-out")
        elif held_up and not self._still_good(prepared):
            outcome = Outcome(AttemptOutcome.HELD, detail="the enrollment ended before the hand-over")
        else:
            step = self.promises.handed_over(prepared)
            attempt = (prepared.row.id, prepared.row.fence)
            outcome = self.provider.take(step, attempt, prepared.message, answer)
        self.endings.append(_ending(prepared, outcome))

    def settle(self) -> None:
        """Write down what has ended."""
        self.settler.settle(self.endings)
        self.endings.clear()

    def crash(self) -> None:
        """End at once."""
        self.begun.clear()
        self.endings.clear()

    def _still_good(self, prepared: Prepared) -> bool:
        with self.ground.database.transaction() as session:
            return still_good(session, prepared.row.id, prepared.row.fence)
