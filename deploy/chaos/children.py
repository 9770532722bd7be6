"""The processes of a stage: `cadenza` commands, started, struck and ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Final, Self

from deploy.local.processes import ending_with_parent, is_running
from engine.errors import Unavailable
from engine.settings import PREFIX

#: Real seconds until a command says that it is ready, and until it has ended.
READY_SECONDS: Final = 60.0
END_SECONDS: Final = 60.0

#: What `cadenza worker` logs of its worker processes.
STARTED, DIED = "worker process started", "worker process died: starting another"


class Command:
    """A `cadenza` command in the foreground of its own; it ends with its `with` block."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it, with these settings and none of this process's, and wait for the first line that it says."""
        others = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
        self.log = log
        with log.open("ab") as complaints:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "deploy.cli", *arguments],
                cwd=log.parent,  # where no .env is
                env={**others, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,  # so that Ctrl-C leaves it to us
                preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509 (it only asks the kernel)
            )
        try:
            self.says = self._first_words(arguments)
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def logged(self) -> list[dict[str, object]]:
        """What it has logged so far."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def terminate(self) -> int:
        """Ask it to end, wait for that, and tell its exit code."""
        if self.running:
            self.process.terminate()
        return self._wait()

    def end(self) -> None:
        """End it, by force if need be."""
        self.terminate()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.end()

    def _wait(self) -> int:
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _first_words(self, arguments: Sequence[str]) -> str:
        assert self.process.stdout is not None  # noqa: S101 (it is a pipe)
        heard, _, _ = select([self.process.stdout], [], [], READY_SECONDS)
        line = self.process.stdout.readline() if heard else b""
        if not line:
            raise Unavailable(f"cadenza {arguments[0]} did not start: see {self.log}")
        return line.decode().strip()


class Workers(Command):
    """`cadenza worker` with so many worker processes, each of which can be struck."""

    def __init__(self, environment: Mapping[str, str], log: Path, *, processes: int = 1, threads: int = 4) -> None:
        """Start them."""
        self.count = processes
        self._frozen: set[int] = set()
        options = ["--processes", str(processes), "--threads", str(threads)]
        super().__init__(["worker", *options], environment, log)

    def children(self) -> list[int]:
        """The worker processes that live now."""
        started = [int(str(line["pid"])) for line in self.logged() if line["event"] == STARTED]
        return [pid for pid in started if is_running(pid)]

    def wait_for_children(self) -> list[int]:
        """Wait until there are as many as there should be."""
        deadline = time.monotonic() + READY_SECONDS
        while len(children := self.children()) < self.count:
            if time.monotonic() > deadline:
                raise Unavailable(f"only {len(children)} of {self.count} worker processes run: see {self.log}")
            time.sleep(0.05)
        return children

    def kill(self, pid: int) -> None:
        """End a worker process with SIGKILL."""
        self._frozen.discard(pid)
        self._strike(pid, signal.SIGKILL)

    def freeze(self, pid: int) -> None:
        """Stop a worker process where it is (SIGSTOP)."""
        self._frozen.add(pid)
        self._strike(pid, signal.SIGSTOP)

    def thaw(self, pid: int) -> None:
        """Let a worker process go on (SIGCONT)."""
        self._frozen.discard(pid)
        self._strike(pid, signal.SIGCONT)

    @contextmanager
    def without_replacement(self) -> Iterator[None]:
        """Meanwhile no worker process that dies is replaced: who replaces them is stopped."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> int:
        """Let those go on that were stopped, and ask all to end."""
        for pid in list(self._frozen):
            self.thaw(pid)
        return super().terminate()

    def _strike(self, pid: int, number: signal.Signals) -> None:
        """Strike one of ours; one that has ended meanwhile is left to its parent, which buries it."""
        if pid in self.children():
            os.kill(pid, number)
