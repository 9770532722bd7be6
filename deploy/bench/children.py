"""Processes of the benchmark: started, waited for, and never left behind."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Final

from engine.errors import CadenzaError

#: Real seconds to wait for a process to end, and for something to come about.
END_SECONDS: Final = 60.0
PATIENCE: Final = 120.0


class TooSlow(CadenzaError):  # noqa: N818 (what it is)
    """Something did not come about in time."""


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
