"""What `cadenza doctor` finds in the servers, and how it says to fix it."""

import pytest

from deploy.cli.check_servers import _require_usable, check_connection, check_postgres
from engine.database import Database
from engine.errors import Unavailable
from engine.redis_server import RedisServer
from engine.wakeups import Wakeups

INFO = {"redis_version": "7.0.15", "role": "master", "maxmemory": 0, "maxmemory_policy": "noeviction"}


def test_healthy_servers(database: Database, redis_url: str) -> None:
    assert check_postgres(database).startswith("answers, version ")
    assert check_connection(database) == "leads to Postgres itself"
    wakeups = Wakeups(redis_url)
    server = wakeups.server()
    wakeups.close()
    assert server is not None
    assert not server.evicts
    _require_usable(server)


def test_a_database_that_may_forget_is_named(database_url: str) -> None:
    database = Database(database_url, name="cadenza-test", options="-c synchronous_commit=off")
    assert "synchronous_commit" in check_postgres(database)
    database.close()


def test_triggers_that_are_off_are_refused(database_url: str) -> None:
    database = Database(database_url, name="cadenza-test", options="-c session_replication_role=replica")
    with pytest.raises(Unavailable, match="RESET session_replication_role"):
        check_postgres(database)
    database.close()


@pytest.mark.parametrize(
    ("changes", "evicts"),
    [
        ({}, False),
        ({"maxmemory_policy": "allkeys-lru"}, False),
        ({"maxmemory": 1_000_000, "maxmemory_policy": "allkeys-lru"}, True),
        ({"maxmemory": 1_000_000, "maxmemory_policy": "volatile-ttl"}, False),
        ({"maxmemory": 1_000_000}, False),
    ],
)
def test_a_redis_that_may_evict_keys(changes: dict[str, object], evicts: bool) -> None:
    assert RedisServer.of({**INFO, **changes}).evicts is evicts


@pytest.mark.parametrize(
    ("changes", "says"), [({"redis_version": "6.0.16"}, "6.2 or newer"), ({"role": "slave"}, "lead to the master")]
)
def test_a_redis_that_cannot_be_used(changes: dict[str, object], says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        _require_usable(RedisServer.of({**INFO, **changes}))
