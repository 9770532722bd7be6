"""Processes of the benchmark: started, waited for, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from engine.errors import CadenzaError

#: Real seconds to wait for a process to end, and for something to come about.
END_SECONDS: Final = 60.0
PATIENCE: Final = 120.0


class TooSlow(CadenzaError):  # noqa: N818 (what it is)
    """Something did not come about in time."""


class BrokenChild(CadenzaError):  # noqa: N818
    """A process of the benchmark did not do its part."""


@contextmanager
def children(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run Python modules side by side, each with its arguments; they end with the block, or when we are gone."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.extend(_start(command, environment) for command in commands)
        yield started
    finally:
        for child in started:
            child.terminate()
        for child in started:
            _wait(child)


def _start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        start_new_session=True,  # so that Ctrl-C leaves them to us
    )


def hear(processes: Sequence["subprocess.Popen[bytes]"], word: str) -> None:
    """Wait until each has said a word, as a line on standard output.

    Raises:
        BrokenChild: one said something else, or ended.
    """
    for child in processes:
        if child.stdout is None or child.stdout.readline() != f"{word}\n".encode():
            raise BrokenChild(f"a process of the benchmark did not get to say {word!r}: {child.args!r}")


def tell(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Let them begin, by a line on standard input."""
    for child in processes:
        if child.stdin is not None:
            child.stdin.write(b"begin\n")
            child.stdin.flush()


def say(word: str) -> None:
    """What a process of the benchmark lets the others hear."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def _wait(child: "subprocess.Popen[bytes]") -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def until_parent_is_gone(stop: Event) -> None:
    """Set `stop` when standard input closes."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()


def end_without_parent() -> None:
    """End this process, as SIGTERM does, when standard input closes."""

    def wait() -> None:
        until_parent_is_gone(Event())
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, daemon=True).start()


def wait_until(what: str, came_about: Callable[[], bool], pause: float = 0.1, patience: float = PATIENCE) -> None:
    """Look again and again.

    Raises:
        TooSlow: it did not come about.
    """
    deadline = time.monotonic() + patience
    while not came_about():
        if time.monotonic() > deadline:
            raise TooSlow(f"not within {patience:g} seconds: {what}")
        time.sleep(pause)
