"""Enrollments that run in older versions of their sequence, and how they stand."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.database import Session
from engine.outbox.aside import LEFT
from engine.outbox.base import BASE, STARTED
from engine.outbox.hold import ITS_TIME
from engine.outbox.leave import IN_DOUBT
from engine.outbox.lookups import checked
from engine.rules.landing import Row
from engine.rules.planner import Standing
from engine.rules.program import Program
from schema.states import MESSAGE_TYPES, RowStatus

#: Those in older versions, by an index; `e.id` tells how far we are.
NEXT: Final = """
SELECT e.id FROM enrollments e
WHERE e.sequence_id = %(sequence)s AND e.status IN ('active', 'paused') AND e.id > %(after)s
    AND e.version_id = ANY(%(versions)s::bigint[])
ORDER BY e.id LIMIT %(limit)s
"""

#: Time stands still for those that are paused.
ENROLLMENTS: Final = f"""
SELECT e.id, e.version_id, date_part('epoch', {STARTED}), date_part('epoch', {ITS_TIME})
FROM enrollments e
WHERE e.id = ANY(%(enrollments)s::bigint[]) AND {checked("e.status IN ('active', 'paused')")}
    AND e.version_id = ANY(%(versions)s::bigint[])
ORDER BY e.id + 0
"""

ROWS: Final = f"""
SELECT o.id, o.enrollment_id, o.step_order, o.step_key, o.type, o.status, date_part('epoch', o.due_at), o.outcome,
    o.status = 'pending' AND {IN_DOUBT}, o.status = 'skipped' AND o.reason LIKE 'version %%',
    date_part('epoch', {BASE}),
    o.type = ANY(%(messages)s) AND o.status = 'pending'
        AND o.due_at <= sequence_now() + %(soon)s * interval '1 second'
        AND coalesce(o.retry_at, '-infinity') < clock_timestamp() + %(left)s * interval '1 second'
FROM outbox o WHERE o.enrollment_id = ANY(%(enrollments)s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a sequence."""

    id: int
    number: int
    program: Program


@dataclass(frozen=True, slots=True)
class Target:
    """What is moved whither."""

    workspace_id: int
    sequence_id: int
    old: Mapping[int, Version]
    new: Version
    soon: float
    """Seconds of sequence time before its time from which on a row may be claimed."""


@dataclass(frozen=True, slots=True)
class Found:
    """An enrollment in an older version, with its rows."""

    id: int
    version: Version
    ended: float
    """When the last of its steps ended, in sequence time."""
    now: float
    """Sequence time; it stands still while it is paused."""
    rows: tuple[Row, ...]
    ids: Mapping[int, int]
    """The ids of the rows, by their order."""
    due: bool
    """A message of it may be claimed at this moment."""


def next_ones(session: Session, target: Target, after: int, limit: int) -> list[int]:
    """The next enrollments that run in one of the older versions."""
    named = {"sequence": target.sequence_id, "after": after, "versions": list(target.old), "limit": limit}
    return [enrollment_id for (enrollment_id,) in session.execute(NEXT, named)]


def find(session: Session, target: Target, enrollments: Sequence[int]) -> list[Found]:
    """How those of them stand that still run in one of the older versions."""
    named: dict[str, Any] = {"enrollments": list(enrollments), "versions": list(target.old)}
    running = session.execute(ENROLLMENTS, named).fetchall()
    named |= {"messages": list(MESSAGE_TYPES), "soon": target.soon, "left": LEFT}
    rows: dict[int, list[Row]] = defaultdict(list)
    ids: dict[int, dict[int, int]] = defaultdict(dict)
    ends: dict[int, float] = {}
    near: set[int] = set()
    for row_id, enrollment, order, key, kind, status, due_at, outcome, doubt, passed, end, soon in session.execute(
        ROWS, named
    ):
        row = Row(order, key, kind, Standing(RowStatus(status), due_at, outcome), doubt, passed)
        rows[enrollment].append(row)
        ids[enrollment][order] = row_id
        if row.standing.has_ended and end is not None:
            ends[enrollment] = max(end, ends.get(enrollment, end))
        if soon:
            near.add(enrollment)
    return [
        Found(
            enrollment,
            target.old[version],
            max(started, ends.get(enrollment, started)),
            now,
            tuple(rows[enrollment]),
            ids[enrollment],
            enrollment in near,
        )
        for enrollment, version, started, now in running
    ]
