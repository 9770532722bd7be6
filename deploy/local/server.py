"""A server that the guardian runs: what Postgres and Valkey have in common."""

import os
import re
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from deploy.local import processes
from deploy.local.account import environment
from deploy.local.home import Home
from engine.errors import Unavailable

LOOPBACK = "127.0.0.1"

#: Seconds a server may take until it answers: after a crash it reads its log first.
START_SECONDS = 120.0
#: How often a start that lost a race is tried again.
TRIES = 20
#: Seconds between two tries when somebody else has to end first.
TRY_PAUSE = 0.5
#: A log that has grown beyond this many bytes is put aside at the next start.
LOG_BYTES = 10_000_000


class Server(ABC):
    """One server: started on a free port of the loopback, started again there, ended."""

    name: ClassVar[str]
    #: The signals that end it, the gentlest first, each with the seconds that it may take.
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]]
    #: Where, in the home, the server writes its process id.
    pid_file: ClassVar[str]
    #: What, in the home, its command line names, and no other server's.
    mark: ClassVar[str]

    def __init__(self, home: Home, log: Path, port: int) -> None:
        """Prepare; `port` is the one that it had before, 0 if none."""
        self.home = home
        self.log = log
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make what it needs to run on `port`, and give the command."""

    @abstractmethod
    def answers(self, pid: int) -> bool:
        """Whether it is ready for clients."""

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise LookupError(f"{self.name} has not been started")
        return self._process.pid

    def start(self, *, keep_port: bool = False) -> None:
        """Start it and wait until it answers; on another port if its own is taken, unless it must be kept.

        Raises:
            Unavailable: it doesn't start.
        """
        said = ""
        for _ in range(TRIES):
            if not keep_port:
                self.port = free_port(self.port)
            written = self.log.stat().st_size if self.log.exists() else 0
            self._process = self.spawn(self.prepare())
            if self._wait_until_it_answers():
                return
            said = self.log.read_bytes()[written:].decode(errors="replace")
            if "Address already in use" in said and not keep_port:
                self.port = 0
            elif "Address already in use" in said or "shared memory block" in said:
                time.sleep(TRY_PAUSE)  # the last children of a Postgres that was killed are still about to end
            else:
                break
        raise Unavailable(f"{self.name} does not start: {telling_line(said)} (log: {self.log})")

    def has_ended(self) -> bool:
        """Whether it ended though nobody asked it to."""
        return self._process is not None and self._process.poll() is not None

    def ask_to_end(self) -> None:
        """Begin to end it."""
        if self._process is not None and not self.has_ended():
            self._process.send_signal(self.endings[0][0])

    def wait_until_ended(self) -> None:
        """Wait until it has ended, as it was asked to; by force if it takes too long."""
        if self._process is None:
            return
        for (_, seconds), (harder, _) in pairwise((*self.endings, self.endings[-1])):
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.send_signal(harder)
            else:
                return

    @classmethod
    def end_orphan(cls, folder: Path) -> None:
        """End the server that an earlier guardian, which was killed, has left behind on the data of that home.

        Raises:
            Unavailable: it doesn't end.
        """
        pid = written_pid(folder / cls.pid_file)
        if pid and str(folder / cls.mark) in processes.command_of(pid) and not processes.stop(pid, cls.endings):
            raise Unavailable(f"{cls.name}, process {pid}, left behind by an earlier run, does not end: kill it")

    def spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program as the servers' user, its output going to the log."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            return subprocess.Popen(
                command,
                cwd="/",
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                preexec_fn=processes.ending_with_parent(self.endings[0][0]),  # noqa: PLW1509 (there are no threads)
                **self.home.account.identity,
            )
        except OSError as error:
            raise Unavailable(f"{self.name} can't be run: {error}") from None
        finally:
            os.close(descriptor)

    def _wait_until_it_answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while not self.has_ended():
            if self.answers(self.pid):
                return True
            if time.monotonic() > deadline:
                self.ask_to_end()
                self.wait_until_ended()
                raise Unavailable(f"{self.name} did not answer within {START_SECONDS:g} seconds (log: {self.log})")
            time.sleep(0.01)
        return False


def written_pid(file: Path) -> int | None:
    """The process id in the first line of a file; None if there is none."""
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def free_port(wanted: int) -> int:
    """A port of the loopback that nobody listens on: the wanted one if it is free."""
    for port in (wanted, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, port))
            except OSError:
                continue
            found: int = trial.getsockname()[1]
            return found
    raise Unavailable(f"no port of {LOOPBACK} is free")


def telling_line(said: str) -> str:
    """The line of a log that tells best why a server ended."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for pattern in ("FATAL|PANIC", "[Ee]rror|ERROR|[Ff]ailed|[Cc]an't|[Cc]ould not"):
        for line in lines:
            if re.search(pattern, line):
                return line
    return lines[-1] if lines else "it said nothing"
