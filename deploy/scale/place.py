"""The servers of a run, and connections to them: one session each, so that its cost can be told apart."""

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from pydantic import SecretStr

from deploy.cli.database import bring_up
from deploy.cli.session import required
from deploy.local.clean import clean
from deploy.local.servers import local_servers
from deploy.local.stock import stock_servers
from engine.clock import SequenceClock
from engine.database import KEPT_PLANS, NO_IDLE_LOCKS, Database
from engine.redis_connection import open_redis
from engine.settings import Settings
from engine.wakeups import Wakeups


@dataclass(frozen=True, slots=True)
class Place:
    """Servers that run, migrated."""

    settings: Settings
    producer: Database
    """As `cadenza api` and commands connect: one session."""
    worker: Database
    """As workers connect: one session."""
    clock: SequenceClock
    wakeups: Wakeups
    redis: "redis.Redis"


def describe(place: Place) -> str:
    """Name the machine, and the versions of what ran on it."""
    with place.producer.transaction() as session:
        postgres = session.info.server_version
    told = place.redis.info("server")
    queue = f"Valkey {told['valkey_version']}" if "valkey_version" in told else f"Redis {told['redis_version']}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, Postgres {postgres // 10_000}.{postgres % 10_000}, {queue}"
    )


@contextmanager
def open_place(*, stock: bool) -> Iterator[Place]:
    """Run servers in a folder of our own, embedded ones or the system's, and delete the folder at the end.

    Raises:
        Unavailable: they can't be started.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cadenza-scale-")))
        folder.chmod(0o711)  # the servers run as another user when we are root
        settings = stack.enter_context(_stock(folder) if stock else _embedded(folder))
        url = required(settings.database_url)
        producer = Database(url, size=1, name="cadenza scale producer")
        stack.callback(producer.close)
        worker = Database(url, size=1, name="cadenza scale worker", options=f"{KEPT_PLANS} {NO_IDLE_LOCKS}")
        stack.callback(worker.close)
        bring_up(producer)
        wakeups = Wakeups(required(settings.redis_url))
        stack.callback(wakeups.close)
        client = stack.enter_context(open_redis(required(settings.redis_url)))
        yield Place(settings, producer, worker, SequenceClock(worker), wakeups, client)


@contextmanager
def _embedded(folder: Path) -> Iterator[Settings]:
    settings = Settings(_env_file=None, database_url=None, redis_url=None, data_dir=folder / "data")
    try:
        with local_servers(settings) as running:
            yield running
    finally:
        clean(settings.data_dir)


@contextmanager
def _stock(folder: Path) -> Iterator[Settings]:
    data = folder / "data"
    try:
        with stock_servers(data) as (database_url, redis_url):
            yield Settings(_env_file=None, database_url=SecretStr(database_url), redis_url=SecretStr(redis_url))
    finally:
        clean(data)
