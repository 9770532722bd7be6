"""The hand-over of a row to its channel: the last look, and what the channel says."""

import time
from collections.abc import Mapping
from typing import Final

import structlog

from engine.metrics import DUPLICATES_PREVENTED
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.states import AttemptOutcome
from workers.channels.channel import Sender
from workers.delivery.last_look import LastLook
from workers.delivery.prepared import Prepared

log = structlog.get_logger(__name__)

#: Real seconds after which an attempt that was begun is looked at again before it is handed over: somebody may have
#: said STOP while this process was held up. This bounds the time from a STOP to the last hand-over.
FRESH: Final = 0.25


class HandOver:
    """Hands rows over, each to the channel of its type. Used in the event loop, for many rows at once."""

    def __init__(self, settings: Settings, last_look: LastLook, channels: Mapping[str, Sender]) -> None:
        """Prepare."""
        self._provider_timeout = settings.provider_timeout
        self._last_look = last_look
        self._channels = channels

    async def __call__(self, prepared: Prepared) -> Outcome:
        """Hand a row over; the lease is the last thing that is looked at: to ask the database takes time."""
        good_since = prepared.begun
        while time.monotonic() > good_since + FRESH:
            looked = await self._last_look.good_since(prepared.row)
            if looked is None:
                DUPLICATES_PREVENTED.labels("stop").inc()
                return Outcome(AttemptOutcome.HELD, detail="the enrollment ended, or was paused, before the hand-over")
            good_since = looked
        if time.monotonic() + self._provider_timeout > prepared.lease_until:
            DUPLICATES_PREVENTED.labels("lease").inc()
            return Outcome(AttemptOutcome.HELD, detail="the lease was too short to risk a time-out")
        return await self._send(prepared)

    async def _send(self, prepared: Prepared) -> Outcome:
        row = prepared.row
        try:
            return await self._channels[row.channel].send(prepared.message)
        except Exception:
            log.exception("a channel failed", channel=row.channel, row=row.id, enrollment=row.enrollment_id)
            return Outcome(AttemptOutcome.UNANSWERED, detail="the channel failed; see the log")
