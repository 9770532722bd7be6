"""A command that is started again whenever it has ended, as a service manager does it."""

import os
import signal
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Final, Generic, TypeVar

from deploy.chaos.children import Command, Workers
from deploy.local.processes import is_running, wait_until_ended
from engine.errors import Unavailable

#: Real seconds between two looks, and before one that could not be started is tried again.
LOOK: Final = 0.05
AGAIN: Final = 0.5

#: Real seconds for processes without a supervisor to end by themselves.
ORPHANS_END: Final = 40.0

AnyCommand = TypeVar("AnyCommand", bound=Command)


class Service(Generic[AnyCommand]):
    """Keeps a command running. Its thread lives as long: on Linux the command ends with the thread that started it."""

    def __init__(self, name: str, start: Callable[[], AnyCommand]) -> None:
        """Begin; `start` may raise Unavailable, as while its servers are away, and is tried again."""
        self.name = name
        self.command: AnyCommand | None = None
        self.starts = 0
        self.past: list[AnyCommand] = []
        self._start = start
        self._not_before = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._keep, name=f"service {name}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is there, as far as it was seen."""
        return self.command is not None and self.command.running

    def kill(self, away: float) -> bool:
        """End it with SIGKILL, and leave it away for so many real seconds; False: it was not there."""
        return self._strike(signal.SIGKILL, away)

    def freeze(self) -> bool:
        """Stop it where it is; False: it was not there."""
        return self._strike(signal.SIGSTOP, 0.0)

    def thaw(self) -> None:
        """Let it go on."""
        self._strike(signal.SIGCONT, 0.0)

    def stop(self) -> None:
        """End it in an orderly way, and everything that it had started before."""
        self.thaw()
        self._stop.set()
        self._thread.join()

    def _strike(self, number: signal.Signals, away: float) -> bool:
        command = self.command
        if command is None or not command.running:
            return False
        self._not_before = time.monotonic() + away
        os.kill(command.pid, number)
        return True

    def _keep(self) -> None:
        while not self._stop.wait(LOOK):
            if self.running or time.monotonic() < self._not_before:
                continue
            if self.command is not None:
                self.past.append(self.command)
                self.command = None
            try:
                self.command = self._start()
                self.starts += 1
            except Unavailable:
                self._not_before = time.monotonic() + AGAIN
        for command in (*self.past, *filter(None, [self.command])):
            command.end()


class Machine(Service[Workers]):
    """`cadenza worker`, its worker processes, and those whose supervisor was killed."""

    def processes(self) -> list[int]:
        """All worker processes that live now."""
        return [pid for workers in self._all() for pid in workers.children()]

    def strike(self, pid: int, number: signal.Signals) -> bool:
        """Send a signal to one of them; False: it has ended meanwhile."""
        if pid not in self.processes():
            return False
        os.kill(pid, number)
        return True

    def lose(self, away: float) -> bool:
        """End all of it with SIGKILL, at once."""
        processes = self.processes()
        there = self.kill(away)
        for pid in processes:
            self.strike(pid, signal.SIGKILL)
        return there

    def stop(self) -> None:
        """End it in an orderly way; who has lost the supervisor ends too, by force if need be."""
        for pid in self.processes():
            self.strike(pid, signal.SIGCONT)
        super().stop()
        deadline = time.monotonic() + ORPHANS_END
        for pid in self.processes():
            if not wait_until_ended(pid, max(0.0, deadline - time.monotonic())) and is_running(pid):
                os.kill(pid, signal.SIGKILL)

    def _all(self) -> list[Workers]:
        return [*self.past, *filter(None, [self.command])]
