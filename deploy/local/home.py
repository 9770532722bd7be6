"""Where the servers keep their data: in the data folder, or beside it if the user they run as can't get there."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.account import Account, choose_account
from deploy.local.data_dir import README, DataDir
from engine.errors import Unavailable

#: The folders of the two servers in their home.
POSTGRES = "postgres"
VALKEY = "valkey"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds the data, owned by us, and the user that the servers run as."""

    folder: Path
    account: Account


def find_home(data_dir: DataDir) -> Home:
    """Find or make the home of the servers.

    Raises:
        Unavailable: the user that they must run as can't write anywhere.
    """
    account = choose_account(data_dir.path / POSTGRES)
    if os.geteuid() != 0:
        _claim(data_dir.path / VALKEY, account)
        return Home(data_dir.path, account)
    for folder in stand_ins(data_dir):
        if (folder / POSTGRES).exists():
            return Home(folder, choose_account(folder / POSTGRES))
    if _serves(data_dir.path, account):
        return Home(data_dir.path, account)
    for folder in stand_ins(data_dir, make=True):
        if _serves(folder, account):
            (data_dir.path / "MOVED.txt").write_text(
                f"The servers can't run as root, and user {account.uid} can't enter this folder."
                f" So their data is in {folder}; `make clean` deletes both.\n"
            )
            return Home(folder, account)
    raise Unavailable(
        f"the servers can't run as root, and user {account.uid} can write neither to {data_dir.path} nor to a temporary"
        " folder: set CADENZA_DATA_DIR to a folder that it can reach, or CADENZA_DATABASE_URL and CADENZA_REDIS_URL"
    )


def stand_ins(data_dir: DataDir, *, make: bool = False) -> Iterator[Path]:
    """The folders that may stand in for a data folder; those that exist, unless they are to be made.

    Raises:
        Unavailable: somebody else has made one.
    """
    name = f"cadenza-{hashlib.sha256(os.fsencode(data_dir.path)).hexdigest()[:16]}"
    # /var/tmp first: it is kept when the machine restarts.
    for parent in dict.fromkeys([Path("/var/tmp"), Path(tempfile.gettempdir())]):  # noqa: S108 (checked below)
        folder = parent / name
        if make and not folder.exists() and parent.is_dir():
            folder.mkdir(mode=0o700)
            folder.chmod(0o711)
            (folder / README).write_text(f"The data of Cadenza's embedded servers for {data_dir.path}.\n")
        if os.path.lexists(folder):
            _check_ours(folder)
            yield folder


def _claim(folder: Path, account: Account) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        account.give(folder, 0o700)


def _serves(folder: Path, account: Account) -> bool:
    trial = folder / VALKEY
    try:
        _claim(trial, account)
    except OSError:  # a file system without owners, or without room for us
        return False
    return account.reaches(trial)


def _check_ours(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Unavailable(f"{folder} was made by somebody else: remove it, or set CADENZA_DATA_DIR to another folder")
