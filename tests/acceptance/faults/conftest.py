"""Servers that only these tests use, since they are killed; and for each test a stage on a database of its own."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from act import Act, House, open_house
from stage import Play

from deploy.chaos.servers import OwnServers, own_folder, own_servers
from deploy.chaos.stage import Stage, open_stage
from deploy.cli.database import bring_up
from engine.database import Database

TEMPLATE = "fault_template"


@pytest.fixture(scope="package")
def own() -> Iterator[OwnServers]:
    """Embedded servers of these tests' own, with a migrated template."""
    with own_folder("cadenza-faults-") as folder, own_servers(folder) as servers:
        servers.execute(f"CREATE DATABASE {TEMPLATE}")
        database = Database(named(servers.database_url, TEMPLATE))
        bring_up(database)
        with database.transaction() as session:
            session.execute("UPDATE workspaces SET quiet_hours = 'off'")  # they strike at night too
            session.execute("ALTER TABLE workspaces ALTER COLUMN quiet_hours SET DEFAULT 'off'")
        database.close()
        yield servers


@pytest.fixture
def own_database(own: OwnServers) -> Iterator[str]:
    """The URL of a migrated database of the test's own."""
    name = f"fault_{secrets.token_hex(6)}"
    own.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield named(own.database_url, name)
    own.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def stage(own: OwnServers, own_database: str, tmp_path: Path) -> Iterator[Stage]:
    """A stage with an empty Redis."""
    with redis.Redis.from_url(own.redis_url) as client:
        client.flushall()
    with open_stage(tmp_path, own_database, own.redis_url) as stage:
        yield stage


@pytest.fixture
def play(stage: Stage) -> Iterator[Play]:
    """The stage with sequences on it."""
    yield Play(stage)
    stage.calm()


@pytest.fixture(scope="package")
def house(own: OwnServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A stage that stays up, with workers and the API, for those tests that need nothing else."""
    own.execute(f"CREATE DATABASE fault_house TEMPLATE {TEMPLATE}")
    own.execute("CHECKPOINT")  # the copy's sequences would go back when Postgres crashes before the first one
    with open_house(tmp_path_factory.mktemp("house"), own, named(own.database_url, "fault_house")) as house:
        yield house


@pytest.fixture
def act(house: House, request: pytest.FixtureRequest) -> Iterator[Act]:
    """An act on that stage, in a workspace of its own."""
    act = Act.open(house, f"act-{re.sub('[^a-z0-9]+', '-', request.node.name.lower())[:50]}")
    yield act
    act.end()


def named(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return url[: url.rindex("/") + 1] + database


@pytest.fixture(scope="module")
def shared_play(own: OwnServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """A stage with sequences on it for all tests of a file, which must not ask for one of their own then."""
    name = f"fault_{secrets.token_hex(6)}"
    own.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    redis_url = named(own.redis_url, "2")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    with open_stage(tmp_path_factory.mktemp("stage"), named(own.database_url, name), redis_url) as stage:
        yield Play(stage)
        stage.calm()
    own.execute(f"DROP DATABASE {name} WITH (FORCE)")
