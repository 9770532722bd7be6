"""Move enrollments to another version of their sequence: a chunk in one transaction, which waits for nobody.

It holds the enrollments and all their rows, so nobody else moves any of them meanwhile; those that somebody else holds
are left for later. Rows that may be claimed at this moment are set aside before (docs/decisions/0021-migrating.md).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.database import Session
from engine.outbox.advance import change
from engine.outbox.aside import LONGEST, give_back
from engine.outbox.history import Change, note
from engine.outbox.lookups import look_up
from engine.outbox.older import Found, Target, find
from engine.outbox.sweep import wakeups_of
from engine.outbox.timing import timing_of
from engine.rules.landing import Landing, LeftAlone, land
from engine.rules.planner import after_delay
from engine.rules.planning import not_before
from engine.wakeups import Due
from schema.states import BLOCKING, RowStatus, sql_list

COUNTED: Final = """
SELECT enrollment_id, count(*) FROM outbox WHERE enrollment_id = ANY(%(enrollments)s::bigint[]) GROUP BY enrollment_id
"""

#: Nobody moves the clock meanwhile.
CLOCK: Final = "SELECT FROM clock FOR SHARE"

#: Waits for nobody.
HOLD: Final = """
SELECT id FROM enrollments WHERE id = ANY(%(enrollments)s::bigint[]) ORDER BY id + 0 FOR NO KEY UPDATE SKIP LOCKED
"""
HOLD_ROWS: Final = """
SELECT enrollment_id, count(*) FROM (
    SELECT enrollment_id FROM outbox WHERE enrollment_id = ANY(%(enrollments)s::bigint[]) FOR UPDATE SKIP LOCKED
) AS held GROUP BY enrollment_id
"""

#: Out of the way, so that no two rows of an enrollment have the same order while they change places.
OUT_OF_THE_WAY: Final = """
UPDATE outbox SET step_order = -20000 - step_order WHERE id = ANY(%(ids)s::bigint[])
"""

#: What has ended is put in its place, and nothing else.
PUT: Final = f"""
UPDATE outbox o SET step_order = put.step_order, type = put.type,
    fence = o.fence + CASE WHEN put.stays THEN 0 ELSE 1 END,
    status = CASE WHEN put.changed THEN put.status ELSE o.status END,
    due_at = CASE WHEN put.changed AND put.status <> 'skipped' THEN to_timestamp(put.due_at) ELSE o.due_at END,
    reason = CASE WHEN put.changed THEN put.reason ELSE o.reason END,
    outcome = CASE WHEN put.changed THEN put.outcome ELSE o.outcome END
FROM unnest(%(ids)s::bigint[], %(orders)s::int[], %(types)s::text[], %(stays)s::bool[], %(changed)s::bool[],
        %(statuses)s::text[], %(due)s::float8[], %(reasons)s::text[], %(outcomes)s::text[])
    AS put (id, step_order, type, stays, changed, status, due_at, reason, outcome)
WHERE {look_up("o.id", "put.id")}
"""

ADD: Final = """
INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, reason)
SELECT %(workspace)s, step.* FROM unnest(%(enrollments)s::bigint[], %(orders)s::smallint[], %(keys)s::text[],
    %(types)s::text[], %(statuses)s::text[], %(reasons)s::text[])
    AS step (enrollment_id, number, key, type, status, reason)
"""

MOVE: Final = f"""
UPDATE enrollments e SET version_id = %(version)s, migrated_at = clock_timestamp(),
    status = CASE WHEN over.over AND e.status = 'active' THEN 'completed' ELSE e.status END,
    completed_at = CASE WHEN over.over AND e.status = 'active' THEN sequence_now() ELSE e.completed_at END
FROM unnest(%(enrollments)s::bigint[]) AS moved (id), LATERAL (
    SELECT NOT EXISTS (
        SELECT FROM outbox o WHERE o.enrollment_id = moved.id AND o.status IN ({sql_list(*BLOCKING)})
    ) AS over
) AS over
WHERE {look_up("e.id", "moved.id")}
"""

BUSY: Final = "somebody else is at it"
DUE: Final = "a message of it is about to be handed over"

#: What does not last: whoever is left alone for it is tried again.
PASSING: Final = (BUSY, DUE)


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a chunk."""

    landings: dict[int, Landing | LeftAlone] = field(default_factory=dict)
    """By enrollment."""
    wakeups: list[Due] = field(default_factory=list)
    """To be scheduled after the COMMIT, in sequence time."""


def preview(found: Found, target: Target) -> Landing | LeftAlone:
    """Where it would land; the times are not planned."""
    old, new = found.version.program, target.new
    return land(old, new.program, found.rows, number=new.number, ended=found.ended, timing=after_delay)


def migrate(
    session: Session,
    target: Target,
    enrollments: Sequence[int],
    aside: Mapping[int, datetime | None],
    by: str,
    because: str | None,
) -> Moved:
    """Move those of them that can be moved now."""
    until = time.monotonic() + LONGEST
    session.execute(CLOCK)
    held = _hold(session, enrollments)
    moved = Moved({one: LeftAlone("-", BUSY) for one in enrollments if one not in held})
    here = find(session, target, sorted(held))
    landed: list[tuple[Found, Landing]] = []
    for found in here:
        if found.due or time.monotonic() > until:
            moved.landings[found.id] = LeftAlone("-", DUE if found.due else BUSY)
            continue
        timing = not_before(timing_of(session, found.id, target.new.program), found.now)
        landing = moved.landings[found.id] = land(
            found.version.program,
            target.new.program,
            found.rows,
            number=target.new.number,
            ended=found.ended,
            timing=timing,
        )
        if isinstance(landing, Landing):
            landed.append((found, landing))
    _write(session, target, landed)
    _note(session, target, landed, by, because)
    back = {row_id: found.id for found in here for row_id in found.ids.values() if row_id in aside}
    give_back(session, {row_id: aside[row_id] for row_id in back})
    woken = {found.id for found, _ in landed} | set(back.values())
    moved.wakeups.extend(wakeups_of(session, sorted(woken)))
    return moved


def _hold(session: Session, enrollments: Sequence[int]) -> set[int]:
    """Those that this transaction holds, with all their rows."""
    held = [one for (one,) in session.execute(HOLD, {"enrollments": list(enrollments)})]
    rows: dict[int, int] = dict(session.execute(HOLD_ROWS, {"enrollments": held}).fetchall())
    counted: dict[int, int] = dict(session.execute(COUNTED, {"enrollments": held}).fetchall())
    return {one for one in held if rows.get(one) == counted.get(one)}


def _write(session: Session, target: Target, landed: Sequence[tuple[Found, Landing]]) -> None:
    there = [(found, step) for found, landing in landed for step in landing.steps]
    put = [(found.ids[step.was.order], step) for found, step in there if step.was is not None]
    new = [(found.id, step) for found, step in there if step.was is None]
    elsewhere = [row_id for row_id, step in put if step.was is not None and step.was.order != step.order]
    session.execute(OUT_OF_THE_WAY, {"ids": elsewhere})
    session.execute(
        PUT,
        {
            "ids": [row_id for row_id, _ in put],
            "orders": [step.order for _, step in put],
            "types": [step.type for _, step in put],
            "stays": [step.stays for _, step in put],
            "changed": [step.was is not None and step.was.standing != step.standing for _, step in put],
            "statuses": [step.standing.status.value for _, step in put],
            "due": [step.standing.due_at for _, step in put],
            "reasons": [step.reason for _, step in put],
            "outcomes": [step.standing.outcome for _, step in put],
        },
    )
    session.execute(
        ADD,
        {
            "workspace": target.workspace_id,
            "enrollments": [enrollment for enrollment, _ in new],
            "orders": [step.order for _, step in new],
            "keys": [step.key for _, step in new],
            "types": [step.type for _, step in new],
            "statuses": [step.standing.status.value for _, step in new],
            "reasons": [step.reason for _, step in new],
        },
    )
    for found, landing in landed:
        if landing.changes:
            change(session, found.id, landing.changes)
    session.execute(MOVE, {"version": target.new.id, "enrollments": [found.id for found, _ in landed]})


def _note(
    session: Session, target: Target, landed: Sequence[tuple[Found, Landing]], by: str, because: str | None
) -> None:
    changes: list[Change] = []
    for found, landing in landed:
        where = f"lands at {landing.to}" if landing.to else "nothing is left to do"
        reason = "; ".join(filter(None, [because, where]))
        versions = f"version {found.version.number}", f"version {target.new.number}"
        changes.append(Change(found.id, *versions, reason))
        changes += [
            Change(found.id, was.standing.status, RowStatus.SKIPPED, step.reason, found.ids[was.order])
            for step in landing.steps
            if (was := step.was) is not None and not was.standing.has_ended and step.standing.has_ended
        ]
    note(session, target.workspace_id, by, changes)
