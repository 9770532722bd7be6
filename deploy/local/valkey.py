"""The embedded Valkey, which speaks Redis's protocol."""

import json
import signal
import socket
from pathlib import Path
from typing import ClassVar

from deploy.local.access import Access
from deploy.local.data_dir import write_private
from deploy.local.home import VALKEY, Home
from deploy.local.programs import Programs
from deploy.local.server import LOOPBACK, Server


class Valkey(Server):
    """Valkey on its data folder, with an append-only file."""

    name: ClassVar[str] = "Valkey"
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 30), (signal.SIGKILL, 10))
    pid_file: ClassVar[str] = f"{VALKEY}/valkey.pid"
    mark: ClassVar[str] = "valkey.conf"

    def __init__(self, home: Home, log: Path, access: Access, programs: Programs) -> None:
        """Prepare to run the program."""
        super().__init__(home, log, access.valkey_port)
        self._password = access.valkey_password
        self._program = programs.valkey

    @property
    def url(self) -> str:
        """Where it listens, with the password."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> list[str]:
        """Write the configuration, which holds the password, and give the command."""
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "protected-mode": "yes",
            "requirepass": self._password,
            "dir": quoted(self.home.folder / VALKEY),
            "pidfile": quoted(self.home.folder / self.pid_file),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "set-proc-title": "no",
        }
        text = "".join(f"{name} {value}\n" for name, value in settings.items())
        configuration = self.home.folder / self.mark
        write_private(configuration, text, owner=(self.home.account.uid, self.home.account.gid))
        return [str(self._program), str(configuration)]

    def answers(self, pid: int) -> bool:
        """Whether it has read its data and takes commands."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                said = b"".join(iter(lambda: connection.recv(4096), b""))
        except OSError:
            return False
        return b"+PONG" in said


def quoted(path: Path) -> str:
    """A path as Valkey's configuration takes it."""
    return json.dumps(str(path), ensure_ascii=False)
