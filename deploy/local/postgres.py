"""The embedded Postgres."""

import locale
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from deploy.local import processes
from deploy.local.access import Access
from deploy.local.account import environment
from deploy.local.data_dir import write_private
from deploy.local.home import POSTGRES, Home
from deploy.local.programs import Programs
from deploy.local.server import LOOPBACK, Server, telling_line, written_pid
from engine.errors import Unavailable

#: The role, which may do all, and the database.
NAME = "cadenza"

#: What the launcher relies on, whatever Postgres it runs.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # The log must not hold phone numbers or addresses: the DETAIL and CONTEXT of an error, and its statement, may.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

#: What suits the embedded Postgres; one that the environment names runs with the settings that it comes with.
EMBEDDED_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "2GB", "autovacuum_naptime": "15s"}

#: What /dev/shm must have free for Postgres's parallel workers, in bytes.
SHARED_MEMORY = 256 * 1024 * 1024

#: The line of `postmaster.pid` that says whether it is ready (utils/pidfile.h, LOCK_FILE_LINE_PM_STATUS).
STATUS_LINE = 8


class Postgres(Server):
    """Postgres on its data folder, which is made at the first start."""

    name: ClassVar[str] = "Postgres"
    # Fast shutdown, immediate shutdown, force.
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = (
        (signal.SIGINT, 60),
        (signal.SIGQUIT, 10),
        (signal.SIGKILL, 10),
    )
    pid_file: ClassVar[str] = f"{POSTGRES}/postmaster.pid"
    mark: ClassVar[str] = POSTGRES

    def __init__(self, home: Home, log: Path, access: Access, programs: Programs, version: int) -> None:
        """Prepare to run the programs, which are of that major version."""
        super().__init__(home, log, access.postgres_port)
        self.folder = home.folder / POSTGRES
        self._password = access.postgres_password
        self._programs = programs
        self._version = version

    @property
    def url(self) -> str:
        """Where it listens, with the password."""
        return f"postgresql://{NAME}:{self._password}@{LOOPBACK}:{self.port}/{NAME}"

    def prepare(self) -> list[str]:
        """Make the data folder if there is none, and give the command.

        Raises:
            Unavailable: it can't be made, or is another version's.
        """
        if not self.folder.exists():
            self._make_folder()
        self._check_version()
        self._disown_pid_file()
        own = {} if self._programs.given else EMBEDDED_SETTINGS
        settings = {**SETTINGS, **own, "port": str(self.port), **_dynamic_memory()}
        return [str(self._programs.postgres), "-D", str(self.folder), *_options(settings)]

    def answers(self, pid: int) -> bool:
        """Whether it has written that it is ready, as pg_ctl does it."""
        try:
            lines = (self.home.folder / self.pid_file).read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE - 1].strip() == "ready"

    def _make_folder(self) -> None:
        """Make it under another name first, so that one that was interrupted is never taken for whole."""
        for interrupted in self.home.folder.glob(f"{POSTGRES}.new-*"):
            shutil.rmtree(interrupted)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{POSTGRES}.new-", dir=self.home.folder))
        self.home.account.give(unfinished, 0o700)
        password = self.home.folder / "password"
        write_private(password, self._password, owner=(self.home.account.uid, self.home.account.gid))
        initdb = (str(self._programs.initdb), "-D", str(unfinished), *_options(_dynamic_memory()))
        try:
            self._run(
                *(*initdb, "--no-sync", "--no-instructions", "-U", NAME, f"--pwfile={password}", "--encoding=UTF8"),
                *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", *_locale(self._version)),
            )
        finally:
            password.unlink()
        single = (
            str(self._programs.postgres),
            "--single",
            "-F",
            "-D",
            str(unfinished),
            "postgres",
        )  # it keeps initdb's options
        self._run(*single, text=f"CREATE DATABASE {NAME}")
        # All that was written is made safe here, at once: seven times as quick as each program doing it for itself.
        self._run(*initdb, "--sync-only", *(["--sync-method=syncfs"] if _can_sync_at_once(self._version) else []))
        unfinished.rename(self.folder)

    def _run(self, *command: str, text: str = "") -> None:
        with self.log.open("a+") as log:
            start = log.tell()
            ran = subprocess.run(
                command,
                cwd="/",
                env=environment(),
                input=text.encode(),
                stdout=log,
                stderr=log,
                check=False,
                preexec_fn=processes.ending_with_parent(signal.SIGKILL),
                **self.home.account.identity,
            )
            log.seek(start)
            said = log.read()
        if ran.returncode != 0 or "ERROR:" in said:  # a single-user Postgres ends well whatever happened
            raise Unavailable(f"{self.folder} can't be made: {telling_line(said)} (log: {self.log})")

    def _check_version(self) -> None:
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        if made_by != str(self._version):
            raise Unavailable(
                f"{self.folder} was made by Postgres {made_by}, and the one installed is {self._version}:"
                " move it away, or run `make clean`, which deletes it"
            )

    def _disown_pid_file(self) -> None:
        """Have Postgres look at the memory, not the process, that a pid file left behind speaks of.

        If the process is a zombie, or a stranger with the same number, Postgres would refuse to start beside it. It
        knows that its own parent is no Postgres, so the guardian takes the place.
        """
        file_name = self.home.folder / self.pid_file
        pid = written_pid(file_name)
        if pid is None or (processes.is_running(pid) and "postgres" in processes.command_of(pid)):
            return
        descriptor = os.open(file_name, os.O_RDWR | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "r+") as file:
            lines = file.read().splitlines(keepends=True)
            file.seek(0)
            file.truncate()
            file.writelines([f"{os.getpid()}\n", *lines[1:]])


def _options(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _can_sync_at_once(version: int) -> bool:
    """Whether initdb, from 17 on, can have Linux write a whole file system to disk."""
    return version >= 17 and sys.platform == "linux"


def _locale(version: int) -> list[str]:
    """UTF-8 without a language: Postgres's own from 17 on, else the system's where it has one."""
    if version >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return ["--locale=C"]
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return ["--locale=C.UTF-8"]


def _dynamic_memory() -> dict[str, str]:
    """Files instead of /dev/shm for what parallel workers share, where that is missing or small, as in a container."""
    if sys.platform != "linux":
        return {}
    try:
        room = os.statvfs("/dev/shm")  # noqa: S108 (only looked at)
    except OSError:
        return {"dynamic_shared_memory_type": "mmap"}
    return {} if room.f_bavail * room.f_frsize >= SHARED_MEMORY else {"dynamic_shared_memory_type": "mmap"}
