"""Jobs that do nothing, in the queues that Postgres has: what others reach before they have sent anything."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from deploy.bench.children import children, hear, wait_until
from deploy.bench.drain import rate
from deploy.bench.ground import Ground
from deploy.bench.measure import LeftOut, Result
from deploy.bench.postgres_queues import LEFT
from deploy.bench.queue_process import DATABASE_URL
from deploy.bench.workers import PROCESSES
from deploy.cli.session import required
from engine.database import Database

TURNS: Final = 3


def procrastinate_noop(ground: Ground) -> Result:
    """Procrastinate's, by its own worker."""
    return _measure(ground, "procrastinate", ground.count(4_000))


def pgqueuer_noop(ground: Ground) -> Result:
    """Pgqueuer's, by its own queue manager."""
    return _measure(ground, "pgqueuer", ground.count(30_000))


def _measure(ground: Ground, queue: str, count: int) -> Result:
    if find_spec(queue) is None:
        raise LeftOut(f"{queue} is not installed: `make bench` installs it")
    figure = median(_noop(ground, queue, count) for _ in range(TURNS))
    return Result(f"{queue}_noop", figure, "jobs/s", None, f"{count:,} jobs, {PROCESSES} processes")


def _noop(ground: Ground, queue: str, count: int) -> float:
    """Jobs a second, in a database of their own on the same server."""
    with _database(ground, queue) as database:
        environment = {DATABASE_URL: database.url}
        with children([["deploy.bench.queue_process", queue, "fill", str(count)]], environment) as processes:
            hear(processes, "ready")
        with database.connect() as session:
            session.execute("VACUUM ANALYZE")
        seen: list[tuple[float, int]] = []
        with children([["deploy.bench.queue_process", queue, "work"]] * PROCESSES, environment):
            wait_until(f"{queue} has worked all jobs off", partial(_look, database, queue, count, seen))
    return rate(seen, count)


def _look(database: Database, queue: str, count: int, seen: list[tuple[float, int]]) -> bool:
    """Note how many are done, and tell whether all are."""
    with database.transaction() as session:
        row = session.execute(LEFT[queue]).fetchone()
    left = int(row[0]) if row else count
    seen.append((time.perf_counter(), count - left))
    return left == 0


@contextmanager
def _database(ground: Ground, queue: str) -> Iterator[Database]:
    name = f"bench_{queue}"
    with ground.database.connect() as session:
        session.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        session.execute(f"CREATE DATABASE {name}")
    url = urlsplit(required(ground.settings.database_url))._replace(path=f"/{name}").geturl()
    database = Database(url, name="cadenza bench")
    try:
        yield database
    finally:
        database.close()
        with ground.database.connect() as session:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")
