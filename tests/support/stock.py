"""Servers of the machine's own packages (Debian: pgbouncer, redis-server, openssl), private to a test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from deploy.local.account import NOBODY, Account

#: Real seconds that a server may take to answer.
PATIENCE: Final = 60.0

#: Where packages put servers, beside PATH.
ELSEWHERE: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"


def program(name: str) -> str:
    """Return the path of a program; where it is missing the test fails and says how to install it."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{ELSEWHERE}")
    if path is None:
        pytest.fail(f"{name} is not installed: run `make compat`, which installs it with apt-get")
    return path


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(state: Callable[[], object], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not state():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


@dataclass
class StockServer:
    """A server that runs."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that a server may write to, whoever it runs as."""
    with tempfile.TemporaryDirectory(prefix="cadenza-stock-") as folder:
        give(Path(folder))
        yield Path(folder)


def give(path: Path) -> None:
    """Let the servers' user have it."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


@contextmanager
def running(folder: Path, port: int, *command: str) -> Iterator[StockServer]:
    """Run a server of ours until the end; it listens when this is entered."""
    log = folder / f"{Path(command[0]).name}-{port}.log"
    account = Account(NOBODY, NOBODY) if os.geteuid() == 0 else Account(os.geteuid(), os.getegid())
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **account.identity
        )
    server = StockServer(process, port, log)
    try:
        wait_for(lambda: process.poll() is not None or _listens(port), f"{command[0]} listens")
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        server.kill()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
