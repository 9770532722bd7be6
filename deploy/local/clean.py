"""Delete the data of the embedded servers: `python -m deploy.local.clean DATA_DIR`, as `make clean` does."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from deploy.local.data_dir import DataDir
from deploy.local.home import stand_ins
from deploy.local.locks import is_shared, wait_for_lock
from deploy.local.postgres import Postgres
from deploy.local.valkey import Valkey
from engine.errors import CadenzaError, Unavailable

#: Seconds to wait for servers that are just being stopped.
PATIENCE = 30.0

#: What we put into a data folder that was there before us: the rest of it is not ours.
OURS = (
    "access.json",
    "guardian.lo*",
    "postgres*",
    "programs",
    "servers.json*",
    "*s.lock",
    "start.lock",
    "valkey*",
    "MOVED.txt",
)


def clean(path: Path) -> None:
    """Delete the data folder, and what stands in for it elsewhere.

    Raises:
        Unavailable: the servers are in use, or a file can't be deleted.
    """
    data_dir = DataDir(path.expanduser().resolve())
    try:
        with ExitStack() as held:
            if data_dir.path.is_dir():
                _take(data_dir, held)
            for folder in (data_dir.path, *stand_ins(data_dir)):
                for server in (Postgres, Valkey):
                    server.end_orphan(folder)
                if folder.exists():
                    _delete(folder, data_dir)
    except OSError as error:
        raise Unavailable(f"{data_dir.path} can't be deleted: {error}") from None


def _take(data_dir: DataDir, held: ExitStack) -> None:
    in_use = Unavailable(f"{data_dir.path} is in use: end what runs on it first")
    if is_shared(data_dir.users_lock):
        raise in_use
    # The guardian's lock first: a guardian that is about to end needs the users'.
    for lock in (data_dir.guardian_lock, data_dir.users_lock):
        try:
            held.callback(wait_for_lock(lock, PATIENCE).release)
        except TimeoutError:
            raise in_use from None


def _delete(folder: Path, data_dir: DataDir) -> None:
    if folder != data_dir.path or data_dir.readme.exists():
        shutil.rmtree(folder)
        return
    for path in {path for pattern in OURS for path in folder.glob(pattern)}:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def main() -> int:
    """Delete the data folder that is named."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m deploy.local.clean DATA_DIR\n")
        return 2
    try:
        clean(Path(sys.argv[1]))
    except CadenzaError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
