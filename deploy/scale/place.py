"""The servers of a run, and connections to them: one session each, so that its cost can be told apart."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from pydantic import SecretStr

from deploy.cli.database import bring_up
from deploy.cli.session import required
from deploy.local.clean import clean
from deploy.local.servers import local_servers
from engine.broker import open_redis
from engine.clock import SequenceClock
from engine.database import BY_ID, NO_IDLE_LOCKS, Database
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
        worker = Database(url, size=1, name="cadenza scale worker", options=f"{BY_ID} {NO_IDLE_LOCKS}")
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
    from deploy.local.stock import stock_servers  # where the system has none, nobody needs it

    servers: AbstractContextManager[tuple[str, str]] = stock_servers(folder)
    with servers as (database_url, redis_url):
        yield Settings(_env_file=None, database_url=SecretStr(database_url), redis_url=SecretStr(redis_url))
