"""`cadenza` as a user runs it: in processes of its own, in a folder, with the settings of a test."""

from __future__ import annotations

import gc
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psycopg

from engine.database import Database
from engine.settings import Settings
from workers.supervisor import environment_of

Found = TypeVar("Found")

#: Real seconds that anything may take.
PATIENCE = 120

#: Tables that a command may write to; `batches` is left out, where a run notes that it has begun.
TABLES = ("workspaces", "sequences", "sequence_versions", "contacts", "enrollments", "outbox", "enroll_events", "clock")


#: How many processes wait for a lock in this database.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def wait_for(state: Callable[[], Found], what: str) -> Found:
    """Wait until there is something, and give it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := state()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)
    return found


@dataclass(frozen=True)
class Ran:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on standard error."""
        assert self.err.startswith("cadenza: "), self
        assert self.err.count("\n") == 1, self
        return self.err

    def check(self, code: int) -> Ran:
        """Give itself, if it ended so and without a traceback."""
        assert "Traceback" not in self.err + self.out, self.err
        assert self.code == code, self
        return self


class Running:
    """A command that runs. Its output goes to files, so that it never waits for us."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str], given: bytes) -> None:
        self._files = folder / f".ran-{secrets.token_hex(6)}"
        self._files.with_suffix(".in").write_bytes(given)
        with (
            self._files.with_suffix(".in").open("rb") as stdin,
            self._files.with_suffix(".out").open("wb") as stdout,
            self._files.with_suffix(".err").open("wb") as stderr,
        ):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", *arguments],
                cwd=folder,
                env=dict(environment),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # a terminal of its own: Ctrl-C reaches all its processes, and none of ours
            )

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self._files.with_suffix(".out").read_text()

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> Ran:
        """End it as a power cut would."""
        self.tell(signal.SIGKILL)
        return self.ended()

    def ended(self) -> Ran:
        """Wait until it has ended by itself."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        return Ran(
            code,
            self._files.with_suffix(".out").read_text(errors="replace"),
            self._files.with_suffix(".err").read_text(errors="replace"),
        )


class Cli:
    """Runs `cadenza` in a folder."""

    #: What any of them has started in this process, for whoever ends what a failed test has left.
    started: ClassVar[list[Running]] = []

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.folder = folder
        own = {name: value for name, value in os.environ.items() if not name.startswith("CADENZA_")}
        self.environment = {**own, **environment_of(settings)}

    def start(self, *arguments: str | Path, given: bytes = b"", **environment: str) -> Running:
        """Start it; `given` is what stands on standard input."""
        running = Running(tuple(map(str, arguments)), self.folder, {**self.environment, **environment}, given)
        self.started.append(running)
        return running

    @classmethod
    def end_all(cls) -> None:
        """End whatever still runs."""
        while cls.started:
            running = cls.started.pop()
            if running.process.poll() is None:
                running.interrupt()
                running.ended()

    def __call__(self, *arguments: str | Path, given: bytes = b"", **environment: str) -> Ran:
        """Run it to its end."""
        return self.start(*arguments, given=given, **environment).ended()

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


class ReadyCli(Cli):
    """Runs `cadenza` in processes forked from one that has imported it: a tenth of a second each, not a whole one."""

    def __init__(self, settings: Settings, folder: Path, server: subprocess.Popen[bytes]) -> None:
        super().__init__(settings, folder)
        self._server = server

    def __call__(self, *arguments: str | Path, given: bytes = b"", **environment: str) -> Ran:
        """Run it to its end."""
        assert self._server.stdin is not None and self._server.stdout is not None
        paths = [self.folder / f".ran.{name}" for name in ("in", "out", "err")]
        paths[0].write_bytes(given)
        request = {
            "arguments": [os.fsdecode(argument) for argument in arguments],
            "folder": str(self.folder),
            "environment": {**self.environment, **environment},
            "files": [str(path) for path in paths],
        }
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return Ran(code, paths[1].read_text(errors="replace"), paths[2].read_text(errors="replace"))


@contextmanager
def ready_server() -> Iterator[subprocess.Popen[bytes]]:
    """The process that `ReadyCli` needs."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()
        server.wait(PATIENCE)


@contextmanager
def fresh_database(server_url: str, template: str) -> Iterator[str]:
    """The URL of a database of one's own, copied from a template, for as long as it is needed."""
    name = f"cadenza_test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield server_url[: server_url.rindex("/") + 1] + name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def query(database: Database, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Whatever a SELECT gives."""
    with database.transaction() as session:
        return session.execute(sql.encode(), parameters).fetchall()


def counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    return {table: query(database, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def waiting(database: Database) -> int:
    """How many processes wait for a lock in this database."""
    return int(query(database, WAITING)[0][0])


def serve() -> None:
    """Read a request a line; run each in a fork of this process, and say how it ended."""
    from deploy.cli.command_line import run
    from deploy.cli.commands import app_for

    app_for([])  # reads the modules of all commands
    gc.freeze()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if os.fork() == 0:
            become(request)
            code = run(request["arguments"])
            sys.stdout.flush()
            os._exit(code)  # to take all that was imported apart would take longer than the command
        _, status = os.wait()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(request: dict[str, Any]) -> None:
    """Be the process that was asked for: its folder, environment and standard streams."""
    signal.alarm(PATIENCE)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, path in enumerate(request["files"]):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        descriptor = os.open(path, flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, closefd=False)


if __name__ == "__main__":
    serve()
