"""A provider in process: takes every message after a time, so that nothing but our own work is measured."""

import asyncio
from datetime import datetime
from itertools import count

from engine.rules.doubt import Sighting
from engine.rules.outcome import Outcome
from schema.states import AttemptOutcome
from workers.channels.channel import Message


class StandIn:
    """Accepts whatever it is handed, after so many real seconds."""

    def __init__(self, seconds: float) -> None:
        """Answer after so many seconds; 0: at once."""
        self._seconds = seconds
        self._numbers = count(1)

    async def send(self, _message: Message) -> Outcome:
        """Take the message."""
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return Outcome(AttemptOutcome.ACCEPTED, provider_id=f"SM{next(self._numbers):032x}")

    def look_up(self, _message: Message, _since: datetime) -> Sighting:
        """Nothing is ever in doubt."""
        return Sighting()

    def check(self) -> str:
        """It is always there."""
        return "a stand-in"

    async def close(self) -> None:
        """Nothing to give back."""
