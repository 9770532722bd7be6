"""File locks that the kernel frees when their holder is gone, however it went."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two tries to get a lock that is taken.
PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that is held until it is released, or until the process ends."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Give the lock back, also for children that were forked meanwhile and share it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)

    def is_in_place(self) -> bool:
        """Whether the path still names the file that is locked: not if the folder was deleted meanwhile."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self.descriptor))
        except FileNotFoundError:
            return False


def try_lock(path: Path, *, shared: bool = False) -> Lock | None:
    """Lock a file, which is made if need be; None if somebody else holds it.

    Raises:
        FileNotFoundError: its folder does not exist.
        PermissionError: it belongs to another user.
    """
    while True:
        lock = Lock(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        try:
            fcntl.flock(lock.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock.descriptor)
            return None
        if lock.is_in_place():
            return lock
        lock.release()


def wait_for_lock(path: Path, seconds: float, *, shared: bool = False) -> Lock:
    """Lock a file as soon as nobody else holds it.

    Raises:
        TimeoutError: that took longer than so many seconds.
        FileNotFoundError: its folder does not exist.
        PermissionError: it belongs to another user.
    """
    deadline = time.monotonic() + seconds
    while (lock := try_lock(path, shared=shared)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} is still locked after {seconds:g} seconds")
        time.sleep(PAUSE)
    return lock


def is_locked(path: Path, *, shared: bool = False) -> bool:
    """Whether somebody holds a lock that keeps us from a shared or an exclusive one."""
    try:
        lock = try_lock(path, shared=shared)
    except FileNotFoundError:
        return False
    if lock is None:
        return True
    lock.release()
    return False


def is_shared(path: Path) -> bool:
    """Whether others share the lock, rather than one having it for itself, or none.

    Looked at three times, since someone else who looks has the lock for a moment.
    """
    for _ in range(3):
        if not is_locked(path) or is_locked(path, shared=True):
            return False
        time.sleep(PAUSE)
    return True
