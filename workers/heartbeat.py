"""The leader's heartbeat: keeps dispatch open, and notices a database that was restored from a backup."""

from typing import Final
from uuid import UUID

import structlog

from engine.database import Database
from engine.metrics import RECOVERED
from engine.outbox.dispatch import beat, go_on, hold_what_is_due, lock_pulse, read_pulse
from engine.wakeups import Wakeups, WakeupsUnavailable

log = structlog.get_logger(__name__)

#: Real seconds for which a beat keeps dispatch open, at least.
OPEN_SECONDS: Final = 60.0


class Heartbeat:
    """Beats in the database and in Redis, and compares."""

    def __init__(self, database: Database, wakeups: Wakeups, sweep_seconds: float) -> None:
        """Prepare."""
        self._database = database
        self._wakeups = wakeups
        self._open_seconds = max(OPEN_SECONDS, 4 * sweep_seconds)
        self._last: tuple[UUID, int] | None = None
        self._complained = False

    def beat(self) -> None:
        """Keep dispatch open; if the database may have gone back, compare first, and hold what may have gone out.

        What others know is read first: they know it of the database, which so is never behind them by itself.
        """
        database, number = self._go_on() or self._compare()
        self._last = (database, number)
        try:
            self._wakeups.note_beat(str(database), number)
        except WakeupsUnavailable as error:
            self._complain(error)

    def _go_on(self) -> tuple[UUID, int] | None:
        """Beat as the one who beat last, by one statement; None: there is something to compare."""
        if self._last is None:
            return None
        database, _ = self._last
        known = self._known(database)
        with self._database.transaction() as session:
            number = go_on(session, database, known, self._open_seconds)
        return None if number is None else (database, number)

    def _compare(self) -> tuple[UUID, int]:
        with self._database.transaction() as session:
            known = self._known(read_pulse(session).database)
        with self._database.transaction() as session:
            pulse = lock_pulse(session)
            if known > pulse.beat:
                pulse = read_pulse(session)  # another leader may have beaten while Redis was asked
            if known > pulse.beat:
                held = hold_what_is_due(session)
                RECOVERED.labels("held_after_restore").inc(held)
                log.error(
                    "the database went back in time: what fell due since the backup is held; see `cadenza review`",
                    rows=held,
                    beats=known - pulse.beat,
                )
            return pulse.database, beat(session, known, self._open_seconds)

    def _known(self, database: UUID) -> int:
        """The highest beat of this database that anybody remembers."""
        own = self._last[1] if self._last is not None and self._last[0] == database else 0
        try:
            known = self._wakeups.known_beat(str(database))
        except WakeupsUnavailable as error:
            self._complain(error)
            return own
        self._complained = False
        return max(own, known)

    def _complain(self, error: WakeupsUnavailable) -> None:
        """Once, until Redis is back."""
        if not self._complained:
            log.warning("Redis does not keep the heartbeat: a restored database may go unnoticed", error=str(error))
        self._complained = True
