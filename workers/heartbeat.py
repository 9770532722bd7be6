"""The leader's heartbeat: keeps dispatch open, and notices a database that was restored from a backup."""

from typing import Final

import structlog

from engine.database import Database
from engine.metrics import RECOVERED
from engine.outbox.dispatch import Pulse, beat, hold_what_is_due, read_pulse
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
        self._last: Pulse | None = None

    def beat(self) -> None:
        """Compare, hold what may have gone out if the database went back, and keep dispatch open."""
        with self._database.transaction() as session:
            pulse = read_pulse(session)
            known = self._known(pulse)
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
            number = beat(session, known, self._open_seconds)
        self._last = Pulse(pulse.database, number, True, 0.0)
        try:
            self._wakeups.note_beat(str(pulse.database), number)
        except WakeupsUnavailable as error:
            log.warning("the beat is not noted in Redis", error=str(error))

    def _known(self, pulse: Pulse) -> int:
        """The highest beat of this database that anybody remembers."""
        known = pulse.beat
        if self._last is not None and self._last.database == pulse.database:
            known = max(known, self._last.beat)
        try:
            known = max(known, self._wakeups.known_beat(str(pulse.database)))
        except WakeupsUnavailable as error:
            log.warning("the beat that Redis knows can't be compared", error=str(error))
        return known
