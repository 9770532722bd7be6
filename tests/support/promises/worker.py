"""A worker of the model: the turns of workers/delivery/pipeline.py one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.outbox.begin import Attempt, begin, still_good
from engine.outbox.claim import claim
from engine.outbox.settle import Ending
from engine.rules.outcome import Outcome
from engine.settings import Settings
from promises.ground import Ground
from promises.promises import Promises
from promises.provider import Provider
from schema.states import AttemptOutcome, RowStatus
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
    ready: list[Prepared] = field(default_factory=list)
    begun: list[Prepared] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def claim(self, ids: Sequence[int]) -> None:
        """Claim those of the rows that may go out now, and make messages out of them."""
        lease_until = self.ground.monotonic() + self.settings.lease_seconds
        with self.ground.database.transaction() as session:
            rows = claim(session, ids, self.settings.lease_seconds)
        self.promises.claimed(rows)
        for row in rows:
            prepared = self.prepare(row, self.ground.clock.lateness(row.due_at), lease_until)
            if isinstance(prepared, Prepared):
                self.ready.append(prepared)
            else:
                self.endings.append(prepared)

    def begin(self) -> None:
        """Write the attempts; what may not be handed over is released."""
        attempts = [Attempt(one.row.id, one.row.fence, one.row.recipient or "", one.payload, 0.0) for one in self.ready]
        with self.ground.database.transaction() as session:
            allowed = begin(session, attempts)
        for prepared in self.ready:
            if prepared.row.id in allowed:
                self.begun.append(prepared)
            else:
                self._release(prepared, "lease or enrollment ended before the hand-over")
        self.ready.clear()

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

    def stop(self) -> None:
        """End cleanly: give back what was not begun."""
        for prepared in self.ready:
            self._release(prepared, "the worker is stopping")
        self.ready.clear()

    def crash(self) -> None:
        """End at once."""
        self.ready.clear()
        self.begun.clear()
        self.endings.clear()

    def _still_good(self, prepared: Prepared) -> bool:
        with self.ground.database.transaction() as session:
            return still_good(session, prepared.row.id, prepared.row.fence)

    def _release(self, prepared: Prepared, reason: str) -> None:
        row = prepared.row
        self.endings.append(
            Ending(
                row.id,
                row.fence,
                row.channel,
                RowStatus.PENDING,
                reason,
                outcome=AttemptOutcome.HELD,
                detail=reason,
            )
        )
