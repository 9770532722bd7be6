"""A running sandbox, as other processes find it: the state file in the data folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.sandbox.client import SandboxClient
from engine.errors import CadenzaError, InvalidInput

STATE_FILE = "sandbox.json"
LOCK_FILE = "sandbox.lock"


class AlreadyRunning(CadenzaError):  # noqa: N818 (it is no error of the one that runs)
    """Another sandbox has this data folder."""


class Sandbox(BaseModel):
    """Where a sandbox listens, and what it accepts."""

    model_config = ConfigDict(frozen=True)

    http_url: str
    """The base of the Twilio API; /sandbox/ and /healthz are here too."""
    control_url: str
    """/sandbox/ and /healthz on a port where no fault strikes."""
    smtp_host: str
    smtp_port: int
    account_sid: str
    auth_token: str = Field(repr=False)
    smtp_user: str | None = None
    smtp_password: str | None = Field(None, repr=False)
    ledger: Path
    pid: int

    @property
    def smtp_url(self) -> str:
        """As CADENZA_SMTP_URL takes it."""
        credentials = ""
        if self.smtp_user is not None:
            credentials = f"{quote(self.smtp_user, safe='')}:{quote(self.smtp_password or '', safe='')}@"
        host = f"[{self.smtp_host}]" if ":" in self.smtp_host else self.smtp_host
        return f"smtp://{credentials}{host}:{self.smtp_port}"

    @property
    def client(self) -> SandboxClient:
        """Its controls."""
        return SandboxClient(self.control_url)


class DataFolder:
    """A data folder that is this sandbox's own while it runs."""

    def __init__(self, path: Path) -> None:
        """Name the folder; `claimed` makes and locks it."""
        self.path = path

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder.

        Raises:
            AlreadyRunning: another sandbox holds it.
            InvalidInput: it can't be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InvalidInput(f"the sandbox can't use the data folder {self.path}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self._who_runs()) from None
            yield
            with suppress(FileNotFoundError):
                (self.path / STATE_FILE).unlink()
        finally:
            os.close(lock)

    def announce(self, sandbox: Sandbox) -> None:
        """Write the state file, readable by its owner only, whole or not at all."""
        new = self.path / f"{STATE_FILE}.new"
        new.unlink(missing_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w") as stream:
            stream.write(sandbox.model_dump_json(indent=2) + "\n")
        new.replace(self.path / STATE_FILE)

    def read(self) -> Sandbox | None:
        """What the state file says; None if there is none, or none that can be read."""
        try:
            return Sandbox.model_validate_json((self.path / STATE_FILE).read_bytes())
        except (OSError, ValidationError):
            return None

    def _who_runs(self) -> str:
        running = self.read()
        where = "is starting" if running is None else f"runs at {running.http_url} (process {running.pid})"
        return f"a sandbox already {where} with the data folder {self.path}: stop it, or set another CADENZA_DATA_DIR"


def find_sandbox(data_dir: Path) -> Sandbox | None:
    """The sandbox that runs with a data folder; None if none does, also when one was killed and left its state file."""
    sandbox = DataFolder(data_dir).read()
    if sandbox is None or sandbox.client.pid() != sandbox.pid:
        return None
    return sandbox
