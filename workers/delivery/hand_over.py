"""The hand-over of a row to its channel: the last look, and what the channel says."""

import time
from collections.abc import Mapping
from typing import Final

import structlog

from engine.database import GONE, Database
from engine.metrics import DUPLICATES_PREVENTED
from engine.outbox.begin import still_good
from engine.outbox.claim import Claimed
from engine.rules.outcome import Outcome
from engine.settings import Settings
from schema.states import AttemptOutcome
from workers.channels.channel import Sender
from workers.delivery.prepared import Prepared

log = structlog.get_logger(__name__)

#: Real seconds after which an attempt that was begun is looked at again before it is handed over: somebody may have
#: said STOP while this process was held up. This bounds the time from a STOP to the last hand-over.
FRESH: Final = 0.25


class HandOver:
    """Hands rows over, each to the channel of its type. Used by many threads."""

    def __init__(self, settings: Settings, database: Database, channels: Mapping[str, Sender]) -> None:
        """Prepare."""
        self._settings = settings
        self._database = database
        self._channels = channels

    def __call__(self, prepared: Prepared) -> Outcome:
        """Hand a row over; the lease is the last thing that is looked at: to ask the database takes time."""
        if time.monotonic() > prepared.begun + FRESH and not self._still_good(prepared.row):
            DUPLICATES_PREVENTED.labels("stop").inc()
            return Outcome(AttemptOutcome.HELD, detail="the enrollment ended, or was paused, before the hand-over")
        if time.monotonic() + self._settings.provider_timeout > prepared.lease_until:
            DUPLICATES_PREVENTED.labels("lease").inc()
            return Outcome(AttemptOutcome.HELD, detail="the lease was too short to risk a time-out")
        return self._send(prepared)

    def _still_good(self, row: Claimed) -> bool:
        """Look again; without a database nobody can tell."""
        try:
            with self._database.transaction() as session:
                return still_good(session, row.id, row.fence)
        except GONE:
            return False

    def _send(self, prepared: Prepared) -> Outcome:
        row = prepared.row
        try:
            return self._channels[row.channel].send(prepared.message)
        except Exception:
            log.exception("a channel failed", channel=row.channel, row=row.id, enrollment=row.enrollment_id)
            return Outcome(AttemptOutcome.UNANSWERED, detail="the channel failed; see the log")
