"""CPU that processes have used, user and system, with all that they started: read from /proc, so on Linux alone.

The kernel adds the time of a child that was waited for to its parent. So the sum over a tree of a process's own time
and the time of its waited children never loses what has ended: the backends of Postgres that come and go are in it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bench.children import BrokenChild
from deploy.bench.ground import Ground
from deploy.bench.measure import LeftOut

PROC: Final = Path("/proc")
TICKS: Final = os.sysconf("SC_CLK_TCK")

#: In /proc/PID/stat, counted from behind the name in parentheses, which may hold anything (man 5 proc).
PARENT: Final = 1
TIMES: Final = slice(11, 15)


@dataclass(frozen=True, slots=True)
class Usage:
    """What /proc says of one process."""

    parent: int
    seconds: float
    """Its own, and those of the children that it has waited for."""


class Meter:
    """Reads how much CPU some groups of processes have used, each with its children."""

    def __init__(self, **groups: Sequence[int]) -> None:
        """Name the groups, each by the processes at its roots.

        Raises:
            LeftOut: this system has no /proc.
        """
        if not (PROC / "self/stat").exists():
            raise LeftOut("CPU is read from /proc, and this system has none")
        self._groups = groups
        self._begun = self.read()

    def read(self) -> dict[str, float]:
        """Return the seconds that each group has used, by a look in which nothing ended: that would count twice."""
        while True:
            table = _table()
            groups = {name: members(table, roots) for name, roots in self._groups.items()}
            if set().union(*groups.values()) <= _table().keys():
                return {name: sum(table[pid].seconds for pid in pids) for name, pids in groups.items()}

    def milliseconds(self, count: float) -> dict[str, float]:
        """Return what each group has used since this meter was made, for each of so many messages."""
        return {name: 1_000 * (now - self._begun[name]) / count for name, now in self.read().items()}


def of_servers(ground: Ground) -> dict[str, list[int]]:
    """Return the groups of a ground's servers: the postmaster and Redis."""
    with ground.database.transaction() as session:
        row = session.execute("SELECT pg_backend_pid()").fetchone()
        backend = usage_of(row[0]) if row else None
    if backend is None:
        raise LeftOut("the Postgres that is measured runs on another machine")
    return {"postgres": [backend.parent], "redis": [int(ground.redis.info("server")["process_id"])]}


def members(table: Mapping[int, Usage], roots: Sequence[int]) -> set[int]:
    """Return the processes at the roots and all below them.

    Raises:
        BrokenChild: a root has ended, and its time with it.
    """
    if missing := [pid for pid in roots if pid not in table]:
        raise BrokenChild(f"no longer there, so their CPU is not known: {missing}")
    found = set(roots)
    while True:
        below = {pid for pid, usage in table.items() if usage.parent in found} - found
        if not below:
            return found
        found |= below


def usage_of(pid: int) -> Usage | None:
    """Return what /proc says of a process; None if it has ended."""
    try:
        line = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()
    return Usage(int(fields[PARENT]), sum(map(int, fields[TIMES])) / TICKS)


def _table() -> dict[int, Usage]:
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]
    return {pid: usage for pid in pids if (usage := usage_of(pid)) is not None}
