"""What the system says of a process that may not be our child; on Linux from /proc, elsewhere from ps."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PROC = Path("/proc")
PAUSE = 0.02

#: From linux/prctl.h.
PR_SET_PDEATHSIG = 1


def is_running(pid: int) -> bool:
    """Whether the process exists and has not ended: one that nobody has reaped (a zombie) has ended."""
    return _state(pid)[:1] not in {"", "Z", "X"}


def command_of(pid: int) -> str:
    """The program and arguments of a process, with spaces between; empty if it is gone."""
    if not (PROC / "self/cmdline").exists():
        return _ps(pid, "command")
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="surrogateescape")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until_ended(pid: int, seconds: float) -> bool:
    """Whether the process ended within so many seconds."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def stop(pid: int, signals: Sequence[tuple[signal.Signals, float]]) -> bool:
    """End a process with one signal after the other, each with its seconds to work; whether it ended."""
    for number, seconds in signals:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if wait_until_ended(pid, seconds):
            return True
    return False


def ending_with_parent(number: signal.Signals) -> Callable[[], object] | None:
    """What a child must call so that, on Linux, the kernel sends it the signal when its parent is killed."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, number.value)


def _state(pid: int) -> str:
    if not (PROC / "self/stat").exists():
        return _ps(pid, "stat")
    try:
        # The name is in brackets and may hold brackets itself; the state comes after the last one.
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _ps(pid: int, column: str) -> str:
    asked = subprocess.run(
        ["/bin/ps", "-ww", "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
