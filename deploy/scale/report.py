"""What a run found: as a table, as a document, and as a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.scale.measures import LIST
from deploy.scale.meter import Cost, ratio
from deploy.scale.plot import draw
from deploy.scale.storage import Storage

#: Nothing but bulk enrollment may cost more at the largest size than this times what it costs at the base.
MOST: Final = 1.5
FREE: Final = frozenset({f"bulk enroll {LIST}"})

#: The size that others are compared with: below it, tables fit into a few pages. The smallest, where it is not there.
BASE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Size:
    """What was found at one size."""

    rows: int
    costs: list[Cost]
    storage: Storage
    grow_seconds: float

    def document(self) -> dict[str, Any]:
        """As scale.json has it."""
        return {
            "rows": self.rows,
            "grow_seconds": round(self.grow_seconds, 1),
            "costs": [cost.document() for cost in self.costs],
            "storage": self.storage.document(),
        }


@dataclass(frozen=True, slots=True)
class Growing:
    """How the cost of a measure grows from the base to the largest size."""

    measure: str
    costs: list[Cost]
    cpu: float
    pages: float
    p50: float

    @property
    def holds(self) -> bool:
        """Whether it is what was asked: neither CPU nor pages depend on what else the machine does.

        Both count: pages have what parallel workers do, too.
        """
        return self.measure in FREE or max(self.cpu, self.pages) <= MOST

    def document(self) -> dict[str, Any]:
        """As scale.json has it."""
        return {
            "measure": self.measure,
            "cpu_ratio": round(self.cpu, 3),
            "pages_ratio": round(self.pages, 3),
            "p50_ratio": round(self.p50, 3),
            "asked": None if self.measure in FREE else f"<= {MOST:g}",
            "holds": self.holds,
        }


def growing(sizes: Sequence[Size]) -> list[Growing]:
    """Compare the largest size with the base, measure by measure."""
    found = []
    for number, first in enumerate(sizes[0].costs):
        costs = [size.costs[number] for size in sizes]
        compared = [size.costs[number] for size in sizes if size.rows >= BASE] or costs
        ratios = [ratio(compared, name) for name in ("cpu_ms", "pages", "p50_ms")]
        found.append(Growing(first.measure, costs, *ratios))
    return found


def document(sizes: Sequence[Size], machine: str, seconds: float) -> dict[str, Any]:
    """All of it, for a program to read."""
    return {
        "machine": machine,
        "seconds": round(seconds),
        "sizes": [size.document() for size in sizes],
        "growth": [one.document() for one in growing(sizes)],
    }


def plot(sizes: Sequence[Size]) -> str:
    """The CPU of each measure over the sizes."""
    lines: Mapping[str, Sequence[float]] = {one.measure: [cost.cpu_ms for cost in one.costs] for one in growing(sizes)}
    return draw("What an operation costs as the database grows", "Postgres CPU, ms", [s.rows for s in sizes], lines)


def show(sizes: Sequence[Size], machine: str) -> None:
    """Print the tables for people."""
    console = Console(width=150, highlight=False)
    costs = Table("measure", *(f"{size.rows:,} rows" for size in sizes), "CPU x", "pages x", "p50 x", "holds")
    for one in growing(sizes):
        cells = [f"{c.cpu_ms:.2f} ms, {c.pages:,.0f} p\n{c.p50_ms:.1f} / {c.p99_ms:.1f} ms" for c in one.costs]
        holds = "free" if one.measure in FREE else "yes" if one.holds else "NO"
        costs.add_row(one.measure, *cells, f"{one.cpu:.2f}", f"{one.pages:.2f}", f"{one.p50:.2f}", holds)
    console.print(costs)
    console.print("Of one operation: CPU of its Postgres backend, 8 kB pages touched; below, p50 / p99 for its caller.")
    bytes_each = Table("bytes for each outbox row", *(f"{size.rows:,} rows" for size in sizes))
    for name in [table.name for table in sizes[-1].storage.tables]:
        bytes_each.add_row(name, *(_bytes(size, name) for size in sizes))
    bytes_each.add_row("all", *(f"{size.storage.database_bytes / size.storage.outbox_rows:,.0f}" for size in sizes))
    bytes_each.add_row("Redis, a wake-up", *(f"{size.storage.redis_bytes_per_wakeup:.0f}" for size in sizes))
    console.print(bytes_each)
    levels = Table("index", "table", "rows", "MB", "levels")
    for index in sizes[-1].storage.indexes[:20]:
        levels.add_row(index.name, index.table, f"{index.rows:,}", f"{index.bytes / 1e6:,.1f}", str(index.levels))
    console.print(levels)
    console.print(machine)


def _bytes(size: Size, name: str) -> str:
    rows = size.storage.outbox_rows
    for table in size.storage.tables:
        if table.name == name:
            return f"{table.table_bytes / rows:,.0f} + {table.index_bytes / rows:,.0f} (indexes)"
    return ""
