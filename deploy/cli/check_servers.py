"""What `cadenza doctor` looks for in Postgres and Redis, and how to fix it."""

from typing import Final

from deploy.cli.database import OLDEST_POSTGRES
from deploy.cli.session import Open
from engine.database import Database
from engine.direct import is_direct
from engine.errors import Unavailable
from engine.redis_server import RedisServer

#: The oldest Redis that is supported.
OLDEST_REDIS: Final = (6, 2)

#: What no session of ours can set, or should not: it is an administrator's to decide.
STATE: Final = """
SELECT current_setting('server_version'), pg_is_in_recovery(), current_setting('server_encoding'),
    current_setting('session_replication_role'), current_setting('synchronous_commit'), current_setting('fsync')
"""


def check_postgres(database: Database) -> str:
    """Return its version, and whether it may forget what it has confirmed.

    Raises:
        Unavailable: it can't be reached, or can't be worked with.
    """
    database.check()
    with database.transaction() as session:
        row = session.execute(STATE).fetchone()
        number = session.info.server_version
    assert row is not None  # noqa: S101 (a SELECT without FROM has a row)
    version, is_replica, encoding, replication_role, synchronous, fsync = row
    if number < OLDEST_POSTGRES:
        raise Unavailable(f"version {version} is too old: Cadenza needs Postgres 15 or newer")
    if is_replica:
        raise Unavailable("it is a read-only replica: CADENZA_DATABASE_URL has to lead to the primary")
    if encoding != "UTF8":
        raise Unavailable(
            f"the database's encoding is {encoding}, which has not all names: make one with CREATE DATABASE ..."
            " ENCODING 'UTF8' TEMPLATE template0"
        )
    if replication_role == "replica":
        raise Unavailable(
            "session_replication_role is replica for this role, which switches triggers off: ALTER ROLE ... RESET"
            " session_replication_role"
        )
    forgets = [name for name, value in (("synchronous_commit", synchronous), ("fsync", fsync)) if value == "off"]
    if forgets:
        return (
            f"answers, version {version}; {' and '.join(forgets)} is off, so that a crash of its machine can forget"
            " that a message was sent, which then is sent twice: set it on"
        )
    return f"answers, version {version}"


def check_connection(database: Database) -> str:
    """Return whether it leads to Postgres itself."""
    if is_direct(database):
        return "leads to Postgres itself"
    return (
        "goes through a connection pooler: the API and all that enrolls work so; `cadenza worker`, `cadenza up` and"
        " `cadenza migrate` need a CADENZA_DATABASE_URL that leads to Postgres itself"
    )


def check_redis(session: Open) -> str:
    """Return its version, and whether it may forget wake-ups.

    Raises:
        Unavailable: it can't be reached, takes no writes, or can't be worked with.
    """
    server = session.wakeups.server()
    if server is not None:
        _require_usable(server)
    session.wakeups.check()
    if server is None:
        return "answers and takes writes; its user may not ask for INFO, so nothing more is known"
    says = f"answers and takes writes, version {server.version}"
    if server.evicts:
        raise Unavailable(
            f"{says}, but may evict keys (maxmemory-policy {server.policy}): wake-ups and queued work would be lost"
            " until the next sweep; set maxmemory-policy noeviction"
        )
    return says


def _require_usable(server: RedisServer) -> None:
    if server.number < OLDEST_REDIS:
        raise Unavailable(f"version {server.version} is too old: Cadenza needs Redis 6.2 or newer, or Valkey")
    if server.is_replica:
        raise Unavailable(
            "it is a replica, which takes no writes or loses them: CADENZA_REDIS_URL has to lead to the master;"
            " redis+sentinel:// finds it"
        )
