"""One set of servers for the run, one database copied from a migrated template for each test.

The servers are embedded ones of this run's own, or those that CADENZA_TEST_DATABASE_URL and CADENZA_TEST_REDIS_URL
name, or CADENZA_DATABASE_URL and CADENZA_REDIS_URL. There the role must be allowed to make databases, and Redis is
flushed: the database of CADENZA_TEST_REDIS_URL, or number 15 of CADENZA_REDIS_URL. CADENZA_LOCAL_POSTGRES and
CADENZA_LOCAL_REDIS name other programs to run instead of the embedded ones (deploy/local/programs.py).
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis
import sqlalchemy
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr

from deploy.local.clean import clean
from deploy.local.programs import POSTGRES_VARIABLE, REDIS_VARIABLE
from deploy.local.servers import local_servers
from engine.database import Database
from engine.settings import PREFIX, Settings
from schema import migrate

#: The gate tries the same examples every time; `--hypothesis-profile=deep` tries more, and others each time, and
#: prints how to repeat what failed. No profile has deadlines: a slow machine is not a wrong answer.
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
hypothesis_settings.register_profile("gate", derandomize=True, **UNHURRIED)
hypothesis_settings.register_profile("deep", max_examples=2_000, print_blob=True, **UNHURRIED)
hypothesis_settings.load_profile("gate")


#: A file system in memory, and the bytes that the servers of a run may need of it.
IN_MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of our own is made there)
ROOM = 2 * 1024**3

#: Tests run at night too: SMS have no quiet hours, unless a test asks for them.
AT_ANY_TIME = """
UPDATE workspaces SET quiet_hours = 'off';
ALTER TABLE workspaces ALTER COLUMN quiet_hours SET DEFAULT 'off';
"""


@dataclass(frozen=True)
class Servers:
    """Where the servers of this run are; None before that is known."""

    database_url: str | None
    redis_url: str | None


def with_path(url: str, path: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{path}").geturl()


def as_superuser(url: str, statement: str) -> None:
    """Run a statement that can't be part of a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session", autouse=True)
def given_servers() -> Iterator[Servers]:
    """Take the servers that are named outside, and hide the developer's own settings from all tests."""
    environment = os.environ.copy()
    redis_url = environment.get("CADENZA_TEST_REDIS_URL")
    if redis_url is None and "CADENZA_REDIS_URL" in environment:
        redis_url = with_path(environment["CADENZA_REDIS_URL"], "15")
    with pytest.MonkeyPatch.context() as patch:
        for name in environment:
            if name.upper().startswith(PREFIX) and name not in (POSTGRES_VARIABLE, REDIS_VARIABLE):
                patch.delenv(name)
        patch.setitem(Settings.model_config, "env_file", None)
        yield Servers(
            environment.get("CADENZA_TEST_DATABASE_URL") or environment.get("CADENZA_DATABASE_URL"), redis_url
        )


@pytest.fixture(scope="session")
def servers(given_servers: Servers) -> Iterator[Settings]:
    """Settings with the servers of this run: those given, and embedded ones for the rest."""
    with tempfile.TemporaryDirectory(prefix="cadenza-tests-", dir=_in_memory()) as folder:
        if os.geteuid() == 0:
            Path(folder).chmod(0o711)  # the servers run as another user then
        settings = Settings(
            _env_file=None,
            data_dir=Path(folder) / "data",
            database_url=given_servers.database_url and SecretStr(given_servers.database_url),
            redis_url=given_servers.redis_url and SecretStr(given_servers.redis_url),
        )
        with local_servers(settings) as running:
            if settings.database_url is None:
                _make_hasty(running)
            yield running
        clean(settings.data_dir)


def _in_memory() -> str | None:
    """A folder in memory, where there is one with room for the servers; None: there is none.

    Each test's database is 434 files, and ext4 looks at all that were deleted within the last minute before it makes
    one: half a second of system time for each test.
    """
    if not IN_MEMORY.is_dir():
        return None
    there = os.statvfs(IN_MEMORY)
    roomy = min(there.f_bavail * there.f_frsize, psutil.virtual_memory().available // 2) >= ROOM
    return str(IN_MEMORY) if roomy and not there.f_flag & os.ST_NOEXEC else None


def _make_hasty(servers: Settings) -> None:
    """Let Postgres wait for no disk: it holds a database for each test, and the machine does not fail under it."""
    assert servers.database_url is not None
    for statement in (
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "ALTER SYSTEM SET max_wal_size = '256MB'",
        "SELECT pg_reload_conf()",
    ):
        as_superuser(servers.database_url.get_secret_value(), statement)


@pytest.fixture(scope="session")
def template(servers: Settings) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    assert servers.database_url is not None
    url = servers.database_url.get_secret_value()
    name = f"cadenza_template_{secrets.token_hex(6)}"
    as_superuser(url, f"CREATE DATABASE {name}")
    try:
        engine = sqlalchemy.create_engine(
            urlsplit(with_path(url, name))._replace(scheme="postgresql+psycopg").geturl(), poolclass=sqlalchemy.NullPool
        )
        with engine.begin() as connection:
            migrate.up(connection)
            connection.exec_driver_sql(AT_ANY_TIME)
        yield name
    finally:
        as_superuser(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(servers: Settings, template: str) -> Iterator[str]:
    """A migrated database of the test's own."""
    assert servers.database_url is not None
    url = servers.database_url.get_secret_value()
    name = f"cadenza_test_{secrets.token_hex(6)}"
    as_superuser(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield with_path(url, name)
    as_superuser(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_url(servers: Settings) -> str:
    """A Redis database, empty."""
    assert servers.redis_url is not None
    url = servers.redis_url.get_secret_value()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The test's database, connected."""
    database = Database(database_url, name="cadenza-test")
    yield database
    database.close()


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings for the test's servers; leases and sweeps are short, ports are free ones."""
    return Settings(
        _env_file=None,
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        data_dir=tmp_path / "data",
        lease_seconds=5,
        sweep_seconds=1,
        api_port=0,
        metrics_port=0,
    )
