"""The servers that people have: Debian's Postgres and Redis, with the settings that they come with."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local.data_dir import DataDir
from deploy.local.programs import POSTGRES_VARIABLE, REDIS_VARIABLE
from deploy.local.servers import running_servers
from engine.errors import Unavailable

#: Where Debian puts its versions of Postgres, each in a folder of its own.
VERSIONS: Final = Path("/usr/lib/postgresql")


def stock_programs() -> dict[str, str]:
    """Return the programs of Debian's oldest installed Postgres and of its Redis, by the variables of programs.py.

    Raises:
        Unavailable: they are not installed.
    """
    installs = [folder for folder in VERSIONS.glob("[0-9]*") if (folder / "bin/postgres").exists()]
    redis = shutil.which("redis-server")
    if not installs or redis is None:
        raise Unavailable("Debian's servers are not installed: run `apt-get install postgresql redis-server`")
    oldest = min(installs, key=lambda folder: int(folder.name))
    return {POSTGRES_VARIABLE: str(oldest), REDIS_VARIABLE: redis}


@contextmanager
def stock_servers(folder: Path) -> Iterator[tuple[str, str]]:
    """Run Debian's servers on data in a folder, and yield the URLs of Postgres and Redis.

    The user `nobody` must be able to pass through the folder when this process runs as root.

    Raises:
        Unavailable: they are not installed, or don't start.
    """
    with running_servers(DataDir(folder), stock_programs()) as record:
        yield record.database_url, record.redis_url
