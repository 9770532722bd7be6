"""The figures of the report: what became of each step, and how late it was."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.database import Database
from schema.states import RowStatus

#: Lateness is told of what was accepted: real seconds from due to hand-over, as the worker measured it.
STEPS: Final = """
SELECT s.key, o.step_key, o.type, o.step_order, o.status, count(*), count(*) FILTER (WHERE o.due_at <= sequence_now())
FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id JOIN sequences s ON s.id = e.sequence_id
WHERE o.workspace_id = %s GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 4
"""
LATENESS: Final = """
SELECT s.key, o.step_key,
    percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY greatest(0, a.lateness_seconds)::float8)
FROM attempts a JOIN outbox o ON o.id = a.outbox_id
JOIN enrollments e ON e.id = o.enrollment_id JOIN sequences s ON s.id = e.sequence_id
WHERE a.workspace_id = %s AND a.outcome = 'accepted' GROUP BY 1, 2
"""


@dataclass(slots=True)
class StepFigures:
    """What became of a step of all enrollments."""

    sequence: str
    key: str
    channel: str
    due: int
    counts: Counter[str]
    """Rows by status."""
    lateness: Sequence[float] = ()
    """p50, p99 and the most, in real milliseconds; empty if nothing was accepted."""

    def of(self, status: RowStatus) -> int:
        """How many rows are in a status."""
        return self.counts[status]


def read_figures(database: Database, workspace_id: int) -> list[StepFigures]:
    """Read them, in the order of the sequences' keys and of their steps."""
    found: dict[tuple[str, str], StepFigures] = {}
    with database.transaction() as session:
        for sequence, step, channel, _, status, count, due in session.execute(STEPS, (workspace_id,)):
            figures = found.setdefault((sequence, step), StepFigures(sequence, step, channel, 0, Counter()))
            figures.due += due
            figures.counts[status] += count
        for sequence, step, seconds in session.execute(LATENESS, (workspace_id,)):
            found[sequence, step].lateness = [value * 1_000 for value in seconds]
    return list(found.values())
