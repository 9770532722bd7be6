"""Whether rows may be claimed now, as a process knows it: read anew twice a second."""

import time
from typing import Final

from engine.database import Database
from engine.outbox.dispatch import read_pulse

#: Real seconds.
FRESH: Final = 0.5


class Gate:
    """Spares the queue while dispatch is shut; the claim itself asks the database (engine/outbox/claim.py)."""

    def __init__(self, database: Database) -> None:
        """Prepare; the database is read at the first use."""
        self._database = database
        self._read_at = float("-inf")
        self._open = False

    def is_open(self) -> bool:
        """Whether dispatch is open."""
        if time.monotonic() - self._read_at > FRESH:
            with self._database.transaction() as session:
                self._open = read_pulse(session).is_open
            self._read_at = time.monotonic()
        return self._open
