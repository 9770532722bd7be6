"""What an operation costs: time as its caller sees it, CPU of its Postgres backend, and 8 kB pages that it touches."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from deploy.bench.measure import percentile
from engine.database import Database, Session

#: An operation's repetitions are cut into groups, and the median of the groups' CPU counts: one disturbance is no cost.
GROUPS: Final = 5

#: The statistics of a session reach the shared ones when its next transaction ends.
FLUSH: Final = "SELECT pg_backend_pid(), pg_stat_force_next_flush()"
PAGES: Final = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation costs at one size of the database."""

    measure: str
    times: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Of the backend, the kernel's work for it included."""
    pages: float
    """Of 8 kB, found in shared buffers or read."""

    def document(self) -> dict[str, Any]:
        """As scale.json has it."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


class Meter:
    """Measures operations that go through one session."""

    def __init__(self, database: Database) -> None:
        """Prepare; `database` has a pool of one session, through which all that is measured goes."""
        self._database = database

    def cost(self, measure: str, act: Callable[[int], object], times: int) -> Cost:
        """Do it so often, and tell what one costs."""
        waits: list[float] = []
        cpu: list[float] = []
        group = -(-times // GROUPS)
        before_pages = self._pages()
        for first in range(0, times, group):
            numbers = range(first, min(first + group, times))
            before = self._cpu_ms()
            for number in numbers:
                started = time.perf_counter()
                act(number)
                waits.append(1_000 * (time.perf_counter() - started))
            cpu.append((self._cpu_ms() - before) / len(numbers))
        pages = (self._pages() - before_pages) / times
        return Cost(measure, times, percentile(waits, 0.5), percentile(waits, 0.99), median(cpu), pages)

    def _cpu_ms(self) -> float:
        """CPU time of the session's backend so far: the first field of schedstat, in nanoseconds."""
        with self._database.transaction() as session:
            pid = _one(session, "SELECT pg_backend_pid()")
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6

    def _pages(self) -> int:
        with self._database.transaction() as session:
            session.execute(FLUSH)
        with self._database.transaction() as session:
            return _one(session, PAGES)


def _one(session: Session, query: str) -> int:
    row = session.execute(query.encode()).fetchone()
    if row is None:
        raise LookupError(query)
    return int(row[0])


def ratio(costs: Sequence[Cost], name: str) -> float:
    """The last cost by the first, in one of its figures."""
    first, last = getattr(costs[0], name), getattr(costs[-1], name)
    return float(last / first) if first else 1.0
