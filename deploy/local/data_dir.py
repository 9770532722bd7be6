"""The folder that the embedded servers are known by: locks, logs, and where they listen."""

import json
import os
import pwd
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import Unavailable

README = "README.txt"


@dataclass(frozen=True, slots=True)
class Record:
    """What `servers.json` says of servers that run: where they listen, with the passwords, and who they are."""

    database_url: str
    redis_url: str
    guardian_pid: int
    postgres_pid: int
    valkey_pid: int
    folder: str
    started_at: str


@dataclass(frozen=True, slots=True)
class DataDir:
    """The paths in it, by what they are for."""

    path: Path

    @property
    def users_lock(self) -> Path:
        """Held, shared, by everyone who uses the servers; exclusively by the guardian while it stops them."""
        return self.path / "users.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the one who starts them."""
        return self.path / "start.lock"

    @property
    def guardian_lock(self) -> Path:
        """Held by the guardian as long as it lives."""
        return self.path / "guardian.lock"

    @property
    def guardian_log(self) -> Path:
        """What the guardian says."""
        return self.path / "guardian.log"

    @property
    def record_file(self) -> Path:
        """There while the servers run."""
        return self.path / "servers.json"

    @property
    def readme(self) -> Path:
        """There if we made the folder, so that all in it is ours."""
        return self.path / README

    def create(self) -> None:
        """Make the folder, if need be, for this user alone; as root others may pass through it.

        Raises:
            Unavailable: it can't be made.
        """
        try:
            if self.path.is_dir():
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
                self.readme.write_text(
                    "The data of Cadenza's embedded Postgres and Valkey. `make clean` deletes this folder.\n"
                )
        except OSError as error:
            raise Unavailable(
                f"the data folder {self.path} can't be made ({error.strerror}): set CADENZA_DATA_DIR to another, or"
                " CADENZA_DATABASE_URL and CADENZA_REDIS_URL to servers of yours"
            ) from None

    def refusal(self, error: OSError) -> Unavailable:
        """What to say when a file of it can't be opened."""
        whose = ""
        with suppress(OSError, KeyError):
            whose = f"; it belongs to {pwd.getpwuid(self.path.stat().st_uid).pw_name}"
        return Unavailable(
            f"the data folder {self.path} can't be used ({error.strerror}{whose}):"
            " set CADENZA_DATA_DIR to a folder of your own, with room"
        )

    def read_record(self) -> Record | None:
        """What is written of the servers; None if there are none."""
        try:
            return Record(**json.loads(self.record_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write_record(self, record: Record) -> None:
        """Write down where the servers are."""
        write_private(self.record_file, json.dumps(asdict(record), indent=2) + "\n")

    def remove_record(self) -> None:
        """Write down that there are none."""
        self.record_file.unlink(missing_ok=True)


def write_private(path: Path, text: str, *, owner: tuple[int, int] | None = None) -> None:
    """Write a file that its owner alone can read: wholly or not at all, whatever happens meanwhile.

    As root the owner is the folder's, unless told otherwise.
    """
    if owner is None and os.geteuid() == 0:
        folder = path.parent.stat()
        owner = (folder.st_uid, folder.st_gid)
    descriptor, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # its mode is 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            if owner:
                os.fchown(file.fileno(), *owner)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
