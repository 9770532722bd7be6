"""The guardian: a process of its own, the parent of the embedded servers, which runs them while somebody uses them."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.access import read_access
from deploy.local.data_dir import DataDir, Record
from deploy.local.home import find_home
from deploy.local.locks import Lock, try_lock
from deploy.local.postgres import Postgres
from deploy.local.programs import find_programs
from deploy.local.valkey import Valkey
from engine.errors import CadenzaError

#: Seconds between two looks at the servers and at those who use them.
PAUSE = 0.05
#: Seconds until a server that didn't start again is tried once more.
RESTART_PAUSE = 1.0

logger = logging.getLogger(__name__)


class Stop:
    """Whether a signal has asked us to stop."""

    requested = False

    def __init__(self) -> None:
        """Listen for the signals."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True


class Servers:
    """Postgres and Valkey, on the data of one folder."""

    def __init__(self, data_dir: DataDir) -> None:
        """Find where the data and the programs are.

        Raises:
            Unavailable: they can't be had here.
        """
        self._data_dir = data_dir
        self._home = find_home(data_dir)
        self._access = read_access(self._home)
        programs, version = find_programs(self._home)
        self.postgres = Postgres(self._home, data_dir.path / "postgres.log", self._access, programs, version)
        self.valkey = Valkey(self._home, data_dir.path / "valkey.log", self._access, programs)

    def start(self) -> None:
        """Start both, once those of a guardian that was killed have ended."""
        for server in (self.valkey, self.postgres):
            server.end_orphan(self._home.folder)
            server.start()
        self._write_down()

    def restart_the_ended(self) -> None:
        """Start again, at the same port, what has ended by itself."""
        for server in (self.valkey, self.postgres):
            if server.has_ended():
                logger.warning("%s has ended, it is started again", server.name)
                server.start(keep_port=True)
                self._write_down()

    def stop(self) -> None:
        """End both."""
        for server in (self.valkey, self.postgres):
            server.ask_to_end()
        for server in (self.valkey, self.postgres):
            server.wait_until_ended()
        logger.info("stopped")

    def _write_down(self) -> None:
        ports = (self.postgres.port, self.valkey.port)
        if (self._access.postgres_port, self._access.valkey_port) != ports:
            self._access.postgres_port, self._access.valkey_port = ports
            self._access.save(self._home)
        self._data_dir.write_record(
            Record(
                database_url=self.postgres.url,
                redis_url=self.valkey.url,
                guardian_pid=os.getpid(),
                postgres_pid=self.postgres.pid,
                valkey_pid=self.valkey.pid,
                folder=str(self._home.folder),
                started_at=datetime.now(UTC).isoformat(),
            )
        )
        logger.info("Postgres listens at port %d, Valkey at %d", *ports)


def guard(data_dir: DataDir, own: Lock, stop: Stop) -> None:
    """Run the servers until nobody uses them any more, or a signal comes.

    Raises:
        Unavailable: they don't start.
    """
    data_dir.remove_record()
    servers = Servers(data_dir)
    users: Lock | None = None
    try:
        servers.start()
        report({"ready": True})
        users = watch(data_dir, own, servers, stop)
    finally:
        servers.stop()
        if own.is_in_place():
            data_dir.remove_record()
        own.release()  # first, so that nobody takes us for a guardian with users
        if users is not None:
            users.release()


def watch(data_dir: DataDir, own: Lock, servers: Servers, stop: Stop) -> Lock | None:
    """Look after the servers; the lock of those who use them, taken when the last is gone, keeps new ones waiting."""
    next_try = 0.0
    while not stop.requested and own.is_in_place():  # not in place: the folder was deleted, the data with it
        with suppress(FileNotFoundError):
            if (users := try_lock(data_dir.users_lock)) is not None:
                return users
        if time.monotonic() >= next_try:
            try:
                servers.restart_the_ended()
            except (CadenzaError, OSError) as error:
                logger.error("%s", error)  # noqa: TRY400 (the line says it all)
                next_try = time.monotonic() + RESTART_PAUSE
        time.sleep(PAUSE)
    return None


def report(what: dict[str, object]) -> None:
    """Tell the one who started us, if it still listens."""
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def main() -> int:
    """Guard the servers of the data folder that is named; its guardian's lock comes with us, as a descriptor."""
    os.umask(0o077)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    data_dir = DataDir(Path(sys.argv[1]))
    own = Lock(data_dir.guardian_lock, int(sys.argv[2]))
    stop = Stop()
    try:
        guard(data_dir, own, stop)
        return 0
    except CadenzaError as error:
        reason = str(error)
    except OSError as error:
        reason = f"the embedded servers can't be run in {data_dir.path}: {error} (log: {data_dir.guardian_log})"
    logger.error("%s", reason)
    report({"error": reason})
    return 1


if __name__ == "__main__":
    sys.exit(main())
