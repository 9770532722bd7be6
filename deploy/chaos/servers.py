"""Embedded servers of the storm's own, which may be killed: their guardian starts them again at the same ports."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.local.clean import clean
from deploy.local.data_dir import DataDir, Record
from deploy.local.servers import running_servers


class OwnServers:
    """A Postgres and a Valkey that nobody else uses."""

    def __init__(self, data_dir: DataDir, record: Record) -> None:
        """Take the servers of a data folder, which run."""
        self._data_dir = data_dir
        self.database_url = record.database_url
        self.redis_url = record.redis_url

    def execute(self, statement: str) -> None:
        """Run a statement that can't be part of a transaction, such as one that makes a database."""
        with psycopg.connect(self.database_url, autocommit=True) as session:
            session.execute(statement.encode())

    def restart_postgres(self) -> None:
        """End Postgres as `pg_ctl stop -m immediate` does; it recovers from its log when it is started again."""
        os.kill(self._record().postgres_pid, signal.SIGQUIT)

    def kill_redis(self) -> None:
        """End Valkey with SIGKILL: it comes back with what its append-only file holds."""
        os.kill(self._record().valkey_pid, signal.SIGKILL)

    def _record(self) -> Record:
        """Who they are now: a server that was started again is another process."""
        record = self._data_dir.read_record()
        if record is None:
            raise LookupError(f"no servers run in {self._data_dir.path}")
        return record


@contextmanager
def own_servers(folder: Path) -> Iterator[OwnServers]:
    """Run servers with their data in a folder; nothing of them is left behind.

    Raises:
        Unavailable: they can't be started.
    """
    data_dir = DataDir(folder / "servers")
    try:
        with running_servers(data_dir) as record:
            yield OwnServers(data_dir, record)
    finally:
        clean(data_dir.path)


@contextmanager
def own_folder(prefix: str) -> Iterator[Path]:
    """A folder that others may pass through: as root the servers run as another user."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder
