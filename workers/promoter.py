"""The promoter: moves wake-ups that are due to the work queue. Runs in every worker process; none is the leader."""

from threading import Event
from typing import Final

import structlog

from engine.clock import WRONG_CLOCK, SequenceClock
from engine.wakeups import Wakeups
from engine.wakeups.wakeups import CHUNK

log = structlog.get_logger(__name__)

#: The shortest: what falls due meanwhile goes into one message, which costs little more than a message for each row.
SHORTEST_NAP: Final = 0.01


class Promoter:
    """Promotes what is due, and naps until the next wake-up, or until there is news of an earlier one.

    It looks again when the clock is to be read again: news may be lost, and the sequence clock may be moved.
    """

    def __init__(self, wakeups: Wakeups, clock: SequenceClock) -> None:
        """Prepare."""
        self._wakeups = wakeups
        self._clock = clock

    def turn(self, _stop: Event) -> float:
        """Promote once; tell how long to nap."""
        if (apart := self._clock.apart) > WRONG_CLOCK:
            log.error(
                "dispatch is stopped: the clocks of this machine and of the database differ", seconds=round(apart)
            )
            return 1.0
        if not self._clock.dispatch_open:
            return self._clock.stale_in()
        sequence_now, real_now = self._clock.now(), self._clock.real_now()
        promotion = self._wakeups.promote(sequence_now, real_now)
        if promotion.moved >= CHUNK:
            return 0
        naps = [self._clock.stale_in()]
        if promotion.next_sequence is not None:
            naps.append((promotion.next_sequence - sequence_now) / self._clock.rate)
        if promotion.next_real is not None:
            naps.append(promotion.next_real - real_now)
        return max(SHORTEST_NAP, min(naps))
