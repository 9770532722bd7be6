"""What tests stand on: servers of the run's own, a migrated database to copy, and sandbox providers."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest import mock
from urllib.parse import urlsplit

import psycopg
from pydantic import SecretStr

from deploy.cli.database import bring_up
from deploy.cli.session import required
from deploy.local.clean import clean
from deploy.local.servers import local_servers
from deploy.sandbox.options import SandboxOptions
from deploy.sandbox.process import SandboxProcess, start_sandbox
from deploy.sandbox.settings import with_sandbox
from engine.database import Database
from engine.redis_connection import open_redis
from engine.settings import PREFIX, Settings

TEMPLATE: Final = "cadenza_testing"


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers that run, and a sandbox beside them."""

    settings: Settings
    sandbox: SandboxProcess

    @contextmanager
    def own_settings(self) -> Iterator[Settings]:
        """Settings with a migrated database that is nobody else's, and an empty Redis."""
        server, name = required(self.settings.database_url), f"cadenza_{secrets.token_hex(6)}"
        _run(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        with open_redis(required(self.settings.redis_url)) as redis:
            redis.flushdb()
        try:
            yield self.settings.model_copy(update={"database_url": _database(self.settings, name)})
        finally:
            _run(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def open_ground(folder: Path) -> Iterator[Ground]:
    """Run everything, whatever the environment and `.env` say: no test must ever reach a real provider.

    Raises:
        Unavailable: it can't be started.
    """
    with ExitStack() as stack:
        folder.chmod(0o711)  # the servers run as another user when we are root
        settings = _settings(folder / "data")
        stack.callback(clean, settings.data_dir)
        settings = stack.enter_context(local_servers(settings))
        _run(required(settings.database_url), f"CREATE DATABASE {TEMPLATE}")
        database = Database(required(_database(settings, TEMPLATE)), name="cadenza testing")
        bring_up(database)
        database.close()
        sandbox = stack.enter_context(start_sandbox(SandboxOptions(data_dir=folder / "sandbox", callbacks=False)))
        yield Ground(with_sandbox(settings, sandbox.sandbox), sandbox)


def _settings(data_dir: Path) -> Settings:
    """Settings of our own; all waits are short, so that nothing that hangs or fails holds a test up for long."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    with mock.patch.dict(os.environ, kept, clear=True):
        return Settings(
            _env_file=None,
            data_dir=data_dir,
            sweep_seconds=1,
            retry_seconds=0.1,
            reconcile_grace_seconds=0.5,
            reconcile_interval_seconds=0.5,
        )


def _database(settings: Settings, name: str) -> SecretStr:
    url = urlsplit(required(settings.database_url))
    return SecretStr(url._replace(path=f"/{name}").geturl())


def _run(url: str, statement: str) -> None:
    """Run a statement that can't be part of a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
