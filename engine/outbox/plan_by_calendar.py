"""Write enrollments whose steps fall due by the calendar: contacts for which it is the same are planned together."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from engine.database import Session
from engine.outbox.plan import Planned, Stretch, plan_enrollments
from engine.outbox.reentry import BARS, after_a_time, make_way
from engine.rules.calendar import Hours, Whereabouts, whereabouts
from engine.rules.calendar.zones import PREFIX, WIDE
from engine.rules.planning import Contact, PlannedStep, attributes_used, plan_for, uses_phone
from engine.wakeups import Due
from schema.definition import Definition
from schema.states import RowStatus

#: Contacts about whom everything is the same that a plan may depend on. Where a country has several zones, all digits
#: of a number count: they tell whether it is a mobile.
ALIKE: Final = """
WITH moment AS MATERIALIZED (SELECT sequence_now() AS now),
contact AS (
    SELECT c.id, c.timezone, CASE
            WHEN NOT %(phones)b THEN NULL
            WHEN c.phone LIKE ANY(%(wide)b::text[]) THEN c.phone
            ELSE left(c.phone, %(prefix)b)
        END AS phone,
        ARRAY(
            SELECT c.attributes ->> used.name FROM unnest(%(attributes)b::text[]) WITH ORDINALITY AS used (name, number)
            ORDER BY used.number
        ) AS attributes
    FROM contacts c WHERE c.workspace_id = %(workspace)b AND c.id = ANY(%(contacts)b::bigint[])
)
SELECT (SELECT now FROM moment), timezone, phone, attributes, array_agg(id) FROM contact
GROUP BY timezone, phone, attributes
"""

#: As PLAN of engine/outbox/plan.py, with the steps of each contact's group. An enrollment none of whose steps will be
#: taken is complete at once: nothing would ever complete it.
PLAN_GROUPS: Final = f"""
WITH member AS MATERIALIZED (
    SELECT * FROM unnest(%(contacts)b::bigint[], %(groups)b::int[]) AS member (contact_id, number)
),
known AS MATERIALIZED (
    SELECT c.id FROM contacts c WHERE c.workspace_id = %(workspace)b AND c.id = ANY(%(contacts)b::bigint[])
        AND EXISTS (
            SELECT FROM sequence_versions v JOIN sequences s ON s.id = v.sequence_id AND s.status <> 'archived'
                AND s.closed_at IS NULL
            WHERE v.id = %(version)b AND v.sequence_id = %(sequence)b AND v.workspace_id = %(workspace)b
        )
    FOR KEY SHARE OF c
),
enrolled AS (
    INSERT INTO enrollments (workspace_id, sequence_id, version_id, contact_id, reentry, batch_id, data, enrolled_at,
        status, completed_at)
    SELECT %(workspace)b, %(sequence)b, %(version)b, known.id, %(reentry)b, %(batch)b, %(data)b::jsonb, %(now)b,
        CASE WHEN member.number = ANY(%(idle)b::int[]) THEN 'completed' ELSE 'active' END,
        CASE WHEN member.number = ANY(%(idle)b::int[]) THEN %(now)b::timestamptz END
    FROM known JOIN member ON member.contact_id = known.id
    WHERE %(reentry)b = 'always' OR NOT EXISTS (
        SELECT FROM enrollments other
        WHERE other.contact_id = known.id AND other.sequence_id = %(sequence)b
            AND {BARS}
        OFFSET 0
    )
    ON CONFLICT DO NOTHING
    RETURNING id, contact_id
),
step AS MATERIALIZED (
    SELECT * FROM unnest(
        %(numbers)b::int[], %(orders)b::smallint[], %(keys)b::text[], %(types)b::text[], %(offsets)b::float8[],
        %(statuses)b::text[], %(reasons)b::text[]
    ) AS step (number, step_order, key, type, after, status, reason)
),
planned AS (
    INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, reason, due_at)
    SELECT %(workspace)b, enrolled.id, step.step_order, step.key, step.type,
        step.status, CASE step.status WHEN 'skipped' THEN step.reason END,
        %(now)b::timestamptz + step.after * interval '1 second'
    FROM enrolled JOIN member ON member.contact_id = enrolled.contact_id JOIN step ON step.number = member.number
    RETURNING id, enrollment_id, step_order, due_at
)
SELECT date_part('epoch', due_at), array_agg(id), array_agg(enrollment_id) FILTER (WHERE step_order = 1)
FROM planned GROUP BY step_order, due_at ORDER BY step_order, due_at
"""
PLAN_GROUPS_AGAIN: Final = after_a_time(PLAN_GROUPS, "%(now)b::timestamptz")


def plan_by_calendar(
    session: Session,
    stretch: Stretch,
    definition: Definition,
    hours: Hours,
    contacts: Sequence[int],
    *,
    data: str = "{}",
    batch_id: int | None = None,
) -> Planned:
    """Enroll the contacts that re-entry allows, each step at its time where the contact is; see `plan_enrollments`."""
    used = attributes_used(definition, hours)
    rows = session.execute(
        ALIKE,
        {
            "workspace": stretch.workspace_id,
            "contacts": list(contacts),
            "attributes": list(used),
            "phones": uses_phone(definition, hours),
            "prefix": PREFIX,
            "wide": [f"+{code}%" for code in sorted(WIDE)],
        },
        binary=True,
    ).fetchall()
    if not rows:
        return Planned([], [])
    now: datetime = rows[0][0]
    own = {name: value for name, value in json.loads(data).items() if name in used}
    alike: dict[tuple[Whereabouts, tuple[str | None, ...]], list[int]] = defaultdict(list)
    for _, timezone, phone, values, ids in rows:
        attributes = {**dict(zip(used, values, strict=True)), **own}
        alike[whereabouts(timezone, phone, hours, attributes), tuple(values)] += ids
    groups: dict[tuple[PlannedStep, ...], list[int]] = defaultdict(list)
    for (where, values), ids in alike.items():
        contact = Contact(where, {**dict(zip(used, values, strict=True)), **own})
        groups[tuple(plan_for(definition, contact, now))] += ids
    if len(groups) == 1 and all(step.status is not RowStatus.SKIPPED for step in next(iter(groups))):
        planned = replace(stretch, steps=next(iter(groups)))
        return plan_enrollments(session, planned, contacts, data=data, batch_id=batch_id, now=now)
    return _plan_groups(session, stretch, groups, {"now": now, "data": data, "batch": batch_id})


def _plan_groups(
    session: Session,
    stretch: Stretch,
    groups: Mapping[tuple[PlannedStep, ...], Sequence[int]],
    common: Mapping[str, Any],
) -> Planned:
    members = sorted((contact, number) for number, ids in enumerate(groups.values()) for contact in ids)
    steps = [(number, step) for number, group in enumerate(groups) for step in group]
    make_way(
        session,
        stretch.workspace_id,
        stretch.sequence_id,
        [contact for contact, _ in members],
        stretch.reentry,
        stretch.again_after,
    )
    rows = session.execute(
        PLAN_GROUPS if stretch.again_after is None else PLAN_GROUPS_AGAIN,
        {
            "workspace": stretch.workspace_id,
            "sequence": stretch.sequence_id,
            "version": stretch.version_id,
            "reentry": stretch.reentry.value,
            "again_after": stretch.again_after,
            **common,
            "contacts": [contact for contact, _ in members],
            "groups": [number for _, number in members],
            "idle": [
                number for number, group in enumerate(groups) if all(step.status is RowStatus.SKIPPED for step in group)
            ],
            "numbers": [number for number, _ in steps],
            "orders": [step.order for _, step in steps],
            "keys": [step.key for _, step in steps],
            "types": [step.type for _, step in steps],
            "offsets": [step.offset for _, step in steps],
            "statuses": [step.status.value for _, step in steps],
            "reasons": [step.reasons[-1] if step.reasons else None for _, step in steps],
        },
        binary=True,
    ).fetchall()
    wakeups: list[Due] = [(due, ids) for due, ids, _ in rows if due is not None]
    return Planned([enrollment for *_, first in rows for enrollment in first or ()], wakeups)
