"""Plan the steps behind a late one anew: each by its own delay, local time and window (promise P5)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from engine.arrays import BigInts, Floats
from engine.database import Session
from engine.outbox.hours import HOURS, hours_of
from engine.outbox.lookups import checked, look_up
from engine.rules.calendar import Whereabouts, whereabouts
from engine.rules.planning import Behind, Contact, attributes_used, counts_from_start, moved_behind
from engine.wakeups import Due
from schema.definition import Definition

ENROLLMENTS: Final = f"""
SELECT e.id, e.version_id, e.enrolled_at, c.attributes || e.data, c.timezone, c.phone, {HOURS}
FROM unnest(%(enrollments)b::bigint[]) AS given (id) JOIN enrollments e ON {look_up("e.id", "given.id")}
JOIN contacts c ON {look_up("c.id", "e.contact_id")} JOIN workspaces w ON {look_up("w.id", "e.workspace_id")}
"""

DEFINITIONS: Final = "SELECT id, definition FROM sequence_versions WHERE id = ANY(%(versions)b::bigint[])"

#: A step that was skipped or has gone out takes no part.
BEHIND: Final = f"""
SELECT o.id, o.enrollment_id, o.step_order, o.step_key, o.due_at
FROM unnest(%(enrollments)b::bigint[], %(orders)b::int[]) AS late (enrollment_id, step_order)
JOIN outbox o ON {look_up("o.enrollment_id", "late.enrollment_id")} AND o.step_order > late.step_order
WHERE {checked("o.status = 'pending'")}
"""

#: Only to a later time.
MOVE: Final = f"""
UPDATE outbox o SET due_at = moved.due_at,
    reason = CASE WHEN (SELECT open_until > clock_timestamp() FROM dispatch WHERE id) THEN o.reason ELSE %(shut)b END
FROM (SELECT id, to_timestamp(due) AS due_at FROM unnest(%(ids)b::bigint[], %(dues)b::float8[]) AS moved (id, due))
    AS moved
WHERE {look_up("o.id", "moved.id")} AND {checked("o.status = 'pending'")} AND o.due_at < moved.due_at
RETURNING o.id, date_part('epoch', o.due_at)
"""

#: The reason of a row that was moved while dispatch was shut. If the database turns out to have been restored from a
#: backup, the row may have gone out at the time it had before (engine/outbox/dispatch.py).
MOVED_WHILE_SHUT: Final = "moved behind a late step while dispatch was shut"


Dates: TypeAlias = tuple[tuple[str, str | None], ...]
Times: TypeAlias = tuple[datetime, datetime, datetime]
"""When the enrollment began, when the late step was to end, and when it did."""


class Late(NamedTuple):
    """A step that ends later than it was to."""

    enrollment_id: int
    step_order: int
    was: datetime
    """Sequence time, as all of it."""
    ended: datetime


def replan_behind(session: Session, late: Sequence[Late]) -> list[Due]:
    """Move the steps behind late ones; tell the new wake-ups."""
    moved = _planned(session, late)
    rows = session.execute(
        MOVE,
        {
            "ids": BigInts([row_id for row_id, _ in moved]),
            "dues": Floats([due_at.timestamp() for _, due_at in moved]),
            "shut": MOVED_WHILE_SHUT,
        },
        binary=True,
    ).fetchall()
    return [(due_at, [row_id]) for row_id, due_at in rows]


def _planned(session: Session, late: Sequence[Late]) -> list[tuple[int, datetime]]:
    """The rows behind, and when they are due now."""
    by_enrollment = {one.enrollment_id: one for one in late}
    ids: dict[tuple[int, int], int] = {}
    behind: dict[int, list[Behind]] = defaultdict(list)
    named = {"enrollments": list(by_enrollment), "orders": [one.step_order for one in by_enrollment.values()]}
    for row_id, enrollment_id, order, key, due_at in session.execute(BEHIND, named, binary=True):
        ids[enrollment_id, order] = row_id
        behind[enrollment_id].append(Behind(order, key, due_at))
    enrollments = session.execute(ENROLLMENTS, {"enrollments": list(behind)}, binary=True).fetchall()
    definitions = _definitions(session, {version_id for _, version_id, *_ in enrollments})

    @cache
    def anew(
        version_id: int, where: Whereabouts, dates: Dates, times: Times, steps: tuple[Behind, ...]
    ) -> list[Behind]:
        """Most that are late together are alike."""
        started, was, ended = times
        contact = Contact(where, dict(dates))
        return moved_behind(definitions[version_id], contact, started=started, was=was, ended=ended, behind=steps)

    moved: list[tuple[int, datetime]] = []
    for enrollment_id, version_id, started, attributes, timezone, phone, *hours in enrollments:
        one, definition = by_enrollment[enrollment_id], definitions[version_id]
        known = hours_of(*hours)
        where = whereabouts(timezone, phone, known, attributes)
        dates = tuple((name, _text(attributes.get(name))) for name in attributes_used(definition, known))
        times = (started if counts_from_start(definition) else one.was, one.was, one.ended)
        steps = anew(version_id, where, dates, times, tuple(behind[enrollment_id]))
        moved += [(ids[enrollment_id, step.order], step.due_at) for step in steps]
    return moved


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _definitions(session: Session, versions: set[int]) -> dict[int, Definition]:
    rows = session.execute(DEFINITIONS, {"versions": list(versions)}, binary=True)
    return {version_id: Definition.restore(definition) for version_id, definition in rows}
