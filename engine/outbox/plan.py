"""Write enrollments with one outbox row per step, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.database import Session
from engine.outbox.reentry import BARS, after_a_time, make_way
from engine.rules.planning import PlannedStep
from engine.wakeups import Due
from schema.states import Reentry

#: The contacts that re-entry allows, their enrollments, and a row for each step of each. Contacts and version are held
#: against the workspace here, at once: foreign keys would do it one by one, and take a sixth of the time. The locks are
#: those of a foreign key; a STOP waits for them (engine/outbox/leave.py).
#: Nobody gets into a sequence that has been archived or closed since it was looked up (engine/outbox/barrier.py).
#: The NOT EXISTS keeps to the rule across versions; the unique index enrollments_reentry_key holds it in a race.
PLAN: Final = f"""
WITH moment AS MATERIALIZED (SELECT coalesce(%(now)b::timestamptz, sequence_now()) AS now),
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
    INSERT INTO enrollments
        (workspace_id, sequence_id, version_id, contact_id, reentry, batch_id, data, enrolled_at)
    SELECT %(workspace)b, %(sequence)b, %(version)b, known.id, %(reentry)b, %(batch)b, %(data)b::jsonb, moment.now
    FROM known, moment
    WHERE %(reentry)b = 'always' OR NOT EXISTS (
        SELECT FROM enrollments other
        WHERE other.contact_id = known.id AND other.sequence_id = %(sequence)b
            AND {BARS}
        OFFSET 0
    )
    ON CONFLICT DO NOTHING
    RETURNING id
),
planned AS (
    INSERT INTO outbox (workspace_id, enrollment_id, step_order, step_key, type, status, due_at)
    SELECT %(workspace)b, enrolled.id, step.number, step.key, step.type,
        CASE WHEN step.after IS NULL THEN 'waiting' ELSE 'pending' END, moment.now + step.after * interval '1 second'
    FROM enrolled, moment,
        unnest(%(orders)b::smallint[], %(keys)b::text[], %(types)b::text[], %(offsets)b::float8[])
            AS step (number, key, type, after)
    RETURNING id, enrollment_id, step_order, due_at
)
SELECT date_part('epoch', due_at), array_agg(id), array_agg(enrollment_id) FILTER (WHERE step_order = 1)
FROM planned WHERE due_at IS NOT NULL GROUP BY step_order, due_at ORDER BY step_order
"""
PLAN_AGAIN: Final = after_a_time(PLAN, "moment.now")

#: For who does all of it anew after a collision: to be ready for one costs a tenth of the statement. Only under `once`
#: does the NOT EXISTS see all that there is to collide with, but for what others are writing at this moment.
PLAN_ANEW: Final = PLAN.replace("    ON CONFLICT DO NOTHING\n", "")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the enrollments of one statement have in common."""

    workspace_id: int
    sequence_id: int
    version_id: int
    reentry: Reentry
    steps: Sequence[PlannedStep]
    again_after: timedelta | None = None
    """How long after the end of an enrollment the contact may be enrolled again, with re-entry after the exit."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What was written."""

    enrollments: Sequence[int]
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""


def plan_enrollments(
    session: Session,
    stretch: Stretch,
    contacts: Sequence[int],
    *,
    data: str = "{}",
    batch_id: int | None = None,
    now: datetime | None = None,
    done_anew: bool = False,
) -> Planned:
    """Enroll the contacts that re-entry allows; the others are left as they are.

    `data` is JSON: `custom.*` of these enrollments alone. A contact named twice is enrolled once. `now` is the sequence
    time for which the steps were planned. `done_anew`: whoever calls does the transaction anew after a collision.

    Raises:
        psycopg.errors.UniqueViolation: with `done_anew`, somebody else enrolls one of them at this moment.
    """
    steps = stretch.steps
    make_way(session, stretch.workspace_id, stretch.sequence_id, contacts, stretch.reentry, stretch.again_after)
    query = PLAN if stretch.again_after is None else PLAN_AGAIN
    rows = session.execute(
        PLAN_ANEW if done_anew and stretch.reentry is Reentry.ONCE else query,
        {
            "workspace": stretch.workspace_id,
            "sequence": stretch.sequence_id,
            "version": stretch.version_id,
            "reentry": stretch.reentry.value,
            "again_after": stretch.again_after,
            "batch": batch_id,
            "data": data,
            "now": now,
            "contacts": list(contacts),
            "orders": [step.order for step in steps],
            "keys": [step.key for step in steps],
            "types": [step.type for step in steps],
            "offsets": [step.offset for step in steps],
        },
        binary=True,
    ).fetchall()
    return Planned(
        enrollments=rows[0][2] if rows else [],
        wakeups=[(due, ids) for due, ids, _ in rows],
    )
