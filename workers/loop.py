"""Work that goes on until it is told to stop, whatever fails meanwhile."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Final

import psycopg
import structlog

from engine.errors import CadenzaError

log = structlog.get_logger(__name__)

#: Real seconds to wait after a failure.
PAUSE: Final = 1.0


class Loop:
    """Runs `turn` again and again in a thread; it tells how many real seconds to wait before the next turn."""

    def __init__(self, name: str, turn: Callable[[Event], float]) -> None:
        """Start the thread."""
        self._name = name
        self._turn = turn
        self._stop = Event()
        self._wake = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the next turn begin at once."""
        self._wake.set()

    def end(self) -> None:
        """Let no turn begin any more."""
        self._stop.set()
        self._wake.set()

    def stop(self) -> None:
        """End, and wait for the turn that is running."""
        self.end()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()  # first: what happens during the turn ends the wait after it
            try:
                seconds = self._turn(self._stop)
            except (CadenzaError, psycopg.Error) as error:
                log.warning("will try again", work=self._name, error=str(error).strip())
                seconds = PAUSE
            except Exception:
                log.exception("failed unexpectedly, will try again", work=self._name)
                seconds = PAUSE
            if seconds > 0 and not self._stop.is_set():
                self._wake.wait(seconds)
