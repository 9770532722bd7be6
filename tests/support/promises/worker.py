"""A worker of the model: the turns of workers/delivery/pipeline.py one by one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.outbox.last_look import still_good
from engine.outbox.settle import Ending
from engine.rules.outcome import Outcome
from engine.settings import Settings
from promises.ground import Ground
from promises.promises import Promises
from promises.provider import Provider
from schema.states import AttemptOutcome
from workers.delivery.ending import ending_of, verdict_on
from workers.delivery.intake import Intake
from workers.delivery.prepared import Prepared
from workers.delivery.settler import Settler


@dataclass
class Worker:
    """Holds rows, between the engine and the provider."""

    ground: Ground
    settings: Settings
    provider: Provider
    promises: Promises
    intake: Intake
    settler: Settler
    begun: list[Prepared] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def take(self, ids: Sequence[int]) -> None:
        """Take in those of the rows that may go out now."""
        while ids:
            taken = self.intake.take(ids)
            for prepared in taken.ready:
                prepared.lease_until += self.ground.passed
            self.promises.claimed([*(one.row.id for one in taken.ready), *(ending.id for ending in taken.ended)])
            self.begun += taken.ready
            self.endings += taken.ended
            ids = taken.later

    def hand_over(self, answer: str, *, held_up: bool) -> None:
        """Hand one row over, at once or after having been held up, if it still may go."""
        prepared = self.begun.pop(0)
        if held_up and not self._still_good(prepared):
            outcome = Outcome(AttemptOutcome.HELD, detail="the enrollment ended, or was paused, before the hand-over")
        elif self.ground.monotonic() + self.settings.provider_timeout > prepared.lease_until:
            outcome = Outcome(AttemptOutcome.HELD, detail="the lease was too short to risk a time-out")
        else:
            step = self.promises.handed_over(prepared)
            attempt = (prepared.row.id, prepared.row.fence)
            outcome = self.provider.take(step, attempt, prepared.message, answer)
        self.endings.append(ending_of(prepared, outcome, verdict_on(prepared, outcome)))

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
            return bool(still_good(session, [(prepared.row.id, prepared.row.fence)]))
