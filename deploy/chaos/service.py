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
        self.failure: Exception | None = None
        """What nobody had expected, and ended its keeping."""
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
        """End it in an orderly way, and everything that it had started before.

        Raises:
            Unavailable: it could not be kept running.
        """
        self.thaw()
        self._stop.set()
        self._thread.join()
        if self.failure is not None:
            raise Unavailable(f"{self.name} could not be kept running: {self.failure!r}") from self.failure

    def _strike(self, number: signal.Signals, away: float) -> bool:
        command = self.command
        if command is None or not command.running:
            return False
        self._not_before = time.monotonic() + away
        os.kill(command.pid, number)
        return True

    def _keep(self) -> None:
        try:
            self._keep_running()
        except Exception as failure:  # noqa: BLE001 (told when it is stopped)
            self.failure = failure
        for command in (*self.past, *filter(None, [self.command])):
            command.end()

    def _keep_running(self) -> None:
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


class Machine(Service[Workers]):
    """`cadenza worker`, its worker processes, and those whose supervisor was killed."""

    def __init__(self, name: str, start: Callable[[], Workers]) -> None:
        """Begin; see Service."""
        self._ended: set[Workers] = set()
        super().__init__(name, start)

    def processes(self) -> list[int]:
        """All worker processes that live now."""
        found: list[int] = []
        for workers in (*self.past, *filter(None, [self.command])):
            if workers in self._ended:
                continue
            children = workers.children()
            found += children
            if not (children or workers.running):
                self._ended.add(workers)
        return found

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
