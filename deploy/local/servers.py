"""Use the embedded servers: start them or find those that run, and leave nothing running behind the last user."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.local.data_dir import DataDir, Record
from deploy.local.locks import PAUSE, Lock, is_locked, is_shared, wait_for_lock
from deploy.local.programs import installed_programs
from engine.database import Database
from engine.errors import Unavailable
from engine.settings import Settings

#: Seconds to wait for the start of the servers, the making of the data included.
START_SECONDS = 250.0
#: Seconds to wait for another's start or stop.
TURN_SECONDS = 300.0
#: Seconds that the last user waits for the servers' end.
STOP_SECONDS = 15.0


@contextmanager
def local_servers(settings: Settings) -> Iterator[Settings]:
    """Give settings in which both URLs are set: those that were not lead to the embedded servers, which then run.

    Raises:
        Unavailable: they can't be started.
    """
    if settings.database_url and settings.redis_url:
        yield settings
        return
    installed_programs()
    with running_servers(DataDir(settings.data_dir.expanduser().resolve())) as record:
        yield settings.model_copy(
            update={
                "database_url": settings.database_url or SecretStr(record.database_url),
                "redis_url": settings.redis_url or SecretStr(record.redis_url),
            }
        )


@contextmanager
def running_servers(data_dir: DataDir, programs: Mapping[str, str] | None = None) -> Iterator[Record]:
    """Run the servers of a data folder, or join those who use them already.

    `programs` names other programs than the environment does, by the variables of deploy/local/programs.py.

    Raises:
        Unavailable: they can't be started.
    """
    with ExitStack() as leaving:
        try:
            users = _join(data_dir)
            guardian = _Guardian(data_dir, programs or {})
            leaving.callback(guardian.wait_if_unused)
            leaving.callback(users.release)
            start = wait_for_lock(data_dir.start_lock, TURN_SECONDS)
            try:
                record = _find(data_dir) or guardian.start()
            finally:
                start.release()
        except TimeoutError as error:
            raise Unavailable(f"the embedded servers are busy: {error} (log: {data_dir.guardian_log})") from None
        except OSError as error:
            raise data_dir.refusal(error) from None
        yield record


def _join(data_dir: DataDir) -> Lock:
    """Become a user: from here on the servers are not stopped."""
    while True:
        data_dir.create()
        try:
            return wait_for_lock(data_dir.users_lock, TURN_SECONDS, shared=True)
        except FileNotFoundError:
            continue  # the folder was deleted meanwhile


def _find(data_dir: DataDir) -> Record | None:
    """Find servers that run; None if there are none, and no guardian either.

    Raises:
        TimeoutError: a guardian is there, but its servers don't answer.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        record = data_dir.read_record()
        if record is not None and _answer(record):
            return record
        if not is_locked(data_dir.guardian_lock):
            return None
        if time.monotonic() > deadline:
            raise TimeoutError("they don't answer")
        time.sleep(PAUSE)


def _answer(record: Record) -> bool:
    try:
        Database(record.database_url, name="cadenza-local").check()
        with redis.Redis.from_url(
            record.redis_url, socket_connect_timeout=5, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        ) as client:
            client.ping()
    except (Unavailable, redis.RedisError):
        return False
    return True


class _Guardian:
    """The guardian, as the one who starts it sees it."""

    def __init__(self, data_dir: DataDir, programs: Mapping[str, str]) -> None:
        self._data_dir = data_dir
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Record:
        """Start it and wait until its servers answer.

        Raises:
            Unavailable: they don't.
        """
        own = wait_for_lock(self._data_dir.guardian_lock, TURN_SECONDS)
        try:
            self._process = self._spawn(own.descriptor)
        finally:
            os.close(own.descriptor)  # not released: it is the guardian's now
        report = self._read_report()
        if "error" in report:
            raise Unavailable(report["error"])
        record = self._data_dir.read_record()
        if record is None or not _answer(record):
            raise Unavailable(
                f"the embedded servers don't answer (logs: {self._data_dir.guardian_log} and those beside it)"
            )
        return record

    def _spawn(self, own: int) -> subprocess.Popen[bytes]:
        log = os.open(self._data_dir.guardian_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "deploy.local.guardian", str(self._data_dir.path), str(own)],
                cwd="/",
                env={**os.environ, **self._programs},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(own,),
                start_new_session=True,  # so that Ctrl-C in the terminal doesn't reach the servers
            )
        finally:
            os.close(log)

    def _read_report(self) -> dict[str, str]:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101 (just started, with a pipe)
        with self._process.stdout as pipe:
            readable, _, _ = select.select([pipe], [], [], START_SECONDS)
            line = pipe.readline() if readable else b""
        if not line:
            what = "ended unexpectedly" if readable else f"is not ready after {START_SECONDS:g} seconds"
            raise Unavailable(f"the guardian of the embedded servers {what} (log: {self._data_dir.guardian_log})")
        report: dict[str, str] = json.loads(line)
        return report

    def wait_if_unused(self) -> None:
        """Wait for its end and the servers', unless somebody else uses them; for a limited time."""
        deadline = time.monotonic() + STOP_SECONDS
        while (
            time.monotonic() < deadline
            and is_locked(self._data_dir.guardian_lock)
            and not is_shared(self._data_dir.users_lock)
        ):
            time.sleep(PAUSE)
        if self._process is None:
            return
        if is_locked(self._data_dir.guardian_lock):
            self._process.returncode = 0  # it outlives us, so it is not ours to wait for
        else:
            self._process.wait()
