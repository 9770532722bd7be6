"""The passwords and ports of the servers, kept beside their data and used again at later starts."""

import json
import secrets
from dataclasses import asdict, dataclass

from deploy.local.data_dir import write_private
from deploy.local.home import POSTGRES, Home
from engine.errors import Unavailable


@dataclass(slots=True)
class Access:
    """How to get in. A port is 0 until one has been used."""

    postgres_password: str
    valkey_password: str
    postgres_port: int = 0
    valkey_port: int = 0

    def save(self, home: Home) -> None:
        """Keep it for the next start, readable by us alone."""
        write_private(home.folder / "access.json", json.dumps(asdict(self)) + "\n")


def read_access(home: Home) -> Access:
    """Read what is kept, or choose new passwords for new data.

    Raises:
        Unavailable: there is data, but not its passwords.
    """
    path = home.folder / "access.json"
    try:
        return Access(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        if (home.folder / POSTGRES).exists():
            raise Unavailable(
                f"{path}, which holds the passwords of the data beside it, is missing or damaged:"
                " put it back, or run `make clean`, which deletes the data"
            ) from None
    access = Access(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    access.save(home)
    return access
