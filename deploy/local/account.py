"""The user that the servers run as: Postgres refuses to run as root, and Valkey needs not to."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

NOBODY = 65534

#: What the servers get of our environment: no PG* or CADENZA_* variable may change what they do.
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


class Identity(TypedDict, total=False):
    """What `subprocess` is told to run a child as another user."""

    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its group, by number."""

    uid: int
    gid: int

    @property
    def identity(self) -> Identity:
        """How to become it; nothing if we are it."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path, mode: int) -> None:
        """Make it the owner of a file or folder of ours, alone with these rights."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(mode)

    def run(self, *command: str) -> str | None:
        """Run a short program as this user, in the root folder; what it said, or None if it can't or fails."""
        try:
            ran = subprocess.run(
                command,
                cwd="/",
                env=environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                **self.identity,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return ran.stdout if ran.returncode == 0 else None

    def reaches(self, folder: Path) -> bool:
        """Whether it can enter a folder and write there: tried, since rights alone don't tell."""
        return self.run("/bin/sh", "-c", 'cd -- "$1" && test -w .', "sh", str(folder)) is not None


def choose_account(kept: Path) -> Account:
    """We ourselves; as root the owner of the data that is kept there already, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if kept.exists() and (owner := kept.lstat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(NOBODY, NOBODY)
    return Account(entry.pw_uid, entry.pw_gid)


def environment() -> dict[str, str]:
    """The environment of the servers."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "TZ": "UTC"}
