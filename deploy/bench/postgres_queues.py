"""Jobs that do nothing, in two queues that live in Postgres: procrastinate's and pgqueuer's.

Both packages come with the extra `bench` alone, so they are imported where they are used.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

#: Jobs that a process of procrastinate works on at the same time, and that pgqueuer takes at once.
CONCURRENCY: Final = 10
BATCH: Final = 100

#: Jobs that are told to the database at once.
CHUNK: Final = 1_000

#: How many jobs are left.
LEFT: Final = {
    "procrastinate": "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
    "pgqueuer": "SELECT count(*) FROM pgqueuer",
}


async def fill_procrastinate(url: str, count: int) -> None:
    """Make its tables and jobs."""
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        job = app.configure_task("noop")
        for first in range(0, count, CHUNK):
            numbers = range(first, min(first + CHUNK, count))
            await job.batch_defer_async(*({"number": number} for number in numbers))


def work_procrastinate(url: str) -> None:
    """Work its jobs off, in asyncio's own loop as its command line does."""
    asyncio.run(_work_procrastinate(url))


def work_pgqueuer(url: str) -> None:
    """Work its jobs off, in uvloop as its command line does."""
    import uvloop

    uvloop.run(_work_pgqueuer(url))


async def _work_procrastinate(url: str) -> None:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url))

    async def noop(number: int) -> None:
        del number

    app.task(name="noop")(noop)
    async with app.open_async():
        await app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=True)


async def fill_pgqueuer(url: str, count: int) -> None:
    """Make its tables and jobs."""
    import psycopg
    from pgqueuer.db import PsycopgDriver
    from pgqueuer.queries import Queries

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        queries = Queries(PsycopgDriver(connection))
        await queries.install()
        for first in range(0, count, CHUNK):
            some = min(CHUNK, count - first)
            await queries.enqueue(["noop"] * some, [b""] * some, [0] * some)


async def _work_pgqueuer(url: str) -> None:
    import psycopg
    from pgqueuer import PgQueuer
    from pgqueuer.db import PsycopgDriver

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        queue = PgQueuer(PsycopgDriver(connection))

        async def noop(job: object) -> None:
            del job

        queue.entrypoint("noop")(noop)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.qm.shutdown.set)
        await queue.qm.run(batch_size=BATCH)


FILL: Final[dict[str, Callable[[str, int], Coroutine[Any, Any, None]]]] = {
    "procrastinate": fill_procrastinate,
    "pgqueuer": fill_pgqueuer,
}
WORK: Final[dict[str, Callable[[str], None]]] = {
    "procrastinate": work_procrastinate,
    "pgqueuer": work_pgqueuer,
}
