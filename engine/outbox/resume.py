"""Resume what was paused: the delays that remained count from now, or the clock has run on. The distances stay.

The rows of an enrollment that have not begun move by the time for which each stood still, so that no two of them come
closer. A row that got its time during the pause stood still from that moment on only. What the steps behind count from
(engine/outbox/base.py) moves in the same way. When pauses overlap (of the enrollment, its sequence, its workspace), the
time that several have in common is counted by the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.outbox.base import BASE
from engine.outbox.hold import KEEPS
from engine.outbox.lookups import checked, look_up
from engine.outbox.replan import MOVED_WHILE_SHUT
from engine.outbox.sweep import wakeups_of
from engine.wakeups import Due
from schema.states import BLOCKING, sql_list

#: The end of a statement that has `moment`, and `resuming`: the enrollments, the time from which each has stood still
#: for the pause that ends (`since`), and until when (`until`): another pause that keeps it counts the rest. If the
#: clock has run on, the first step that fell due meanwhile goes out now, and the others keep their distance to it.
SHIFT: Final = f"""
shifted AS (
    UPDATE outbox o SET due_at = o.due_at + by.time,
        reason = CASE WHEN (SELECT open_until > clock_timestamp() FROM dispatch WHERE id) THEN o.reason
            ELSE %(shut)s END
    FROM resuming e CROSS JOIN moment CROSS JOIN LATERAL (
        SELECT waiting.id, CASE
            WHEN NOT %(keep_times)s THEN e.until - greatest(e.since, waiting.rescheduled_at, (
                SELECT max({BASE}) FROM outbox o
                WHERE o.enrollment_id = e.id AND o.step_order < waiting.step_order
            ))
            WHEN e.until = moment.now THEN moment.now - (
                SELECT min(first.due_at) FROM outbox first
                WHERE first.enrollment_id = e.id AND {checked("first.status = 'pending'")}
            )
        END AS time
        FROM outbox waiting WHERE waiting.enrollment_id = e.id AND {checked("waiting.status = 'pending'")}
        OFFSET 0
    ) AS by
    WHERE {look_up("o.id", "by.id")} AND {checked("o.status = 'pending'")} AND by.time > interval '0'
),
based AS (
    UPDATE outbox o SET counts_from = {BASE} + (e.until - greatest(e.since, {BASE}))
    FROM resuming e
    WHERE NOT %(keep_times)s AND {look_up("o.enrollment_id", "e.id")}
        AND {checked(f"o.status NOT IN ({sql_list(*BLOCKING)}) AND {BASE} < e.until")}
)
"""

#: What the first step of an enrollment (`e`) counts from after it stood still from `since` until `until`.
START: Final = """
    CASE WHEN %(keep_times)s THEN e.counts_from
        ELSE coalesce(e.counts_from, e.enrolled_at) + greatest(interval '0', {until} - {since}) END
"""

#: Until when an enrollment (`e`) has stood still for one pause: until now, or until another began that still keeps it.
OTHERS: Final = f"(SELECT min(h.since) FROM holds h WHERE h.id <> %(hold)s AND {KEEPS})"

ONE: Final = f"""
WITH moment AS MATERIALIZED (SELECT sequence_now() AS now),
paused AS MATERIALIZED (
    SELECT e.id, e.paused_at AS since, least(moment.now, {OTHERS}) AS until
    FROM enrollments e, moment
    WHERE e.id = %(enrollment)s AND e.workspace_id = %(workspace)s AND {checked("e.status = 'paused'")}
),
resuming AS (
    UPDATE enrollments e SET paused_at = NULL, counts_from = {START.format(since="paused.since", until="paused.until")},
        status = CASE WHEN open.left THEN 'active' ELSE 'completed' END,
        completed_at = CASE WHEN NOT open.left THEN moment.now END
    FROM paused, moment, LATERAL (
        SELECT EXISTS (
            SELECT FROM outbox o WHERE o.enrollment_id = paused.id AND o.status IN ({sql_list(*BLOCKING)})
        ) AS left
    ) AS open
    WHERE {look_up("e.id", "paused.id")} AND {checked("e.status = 'paused'")}
    RETURNING e.id, paused.since, paused.until, e.status
),
{SHIFT}
SELECT status FROM resuming
"""

#: The next enrollments that a hold keeps: those of its sequence, or of the workspace's sequences one after the other.
NEXT: Final = """
SELECT this.id, running.id
FROM (SELECT * FROM holds WHERE id = %(hold)s) AS h
CROSS JOIN LATERAL (
    SELECT s.id, CASE WHEN s.id = h.released_sequence THEN h.released_to ELSE 0 END AS released_to
    FROM sequences s
    WHERE s.workspace_id = h.workspace_id AND s.id >= h.released_sequence
        AND (h.sequence_id IS NULL OR s.id = h.sequence_id)
        AND EXISTS (
            SELECT FROM enrollments e WHERE e.sequence_id = s.id AND e.status IN ('active', 'paused')
                AND e.id > CASE WHEN s.id = h.released_sequence THEN h.released_to ELSE 0 END
        )
    ORDER BY s.id LIMIT 1
) AS this
CROSS JOIN LATERAL (
    SELECT e.id FROM enrollments e
    WHERE e.sequence_id = this.id AND e.status IN ('active', 'paused') AND e.id > this.released_to
    ORDER BY e.id LIMIT %(limit)s
) AS running
ORDER BY running.id
"""

MANY: Final = f"""
WITH moment AS MATERIALIZED (SELECT sequence_now() AS now),
resuming AS MATERIALIZED (
    SELECT e.id, greatest(this.since, e.enrolled_at) AS since, least(moment.now, e.paused_at, {OTHERS}) AS until
    FROM enrollments e, moment, (SELECT since FROM holds WHERE id = %(hold)s) AS this
    WHERE e.id = ANY(%(enrollments)s::bigint[]) AND {checked("e.status IN ('active', 'paused')")}
),
{SHIFT},
started AS (
    UPDATE enrollments e SET counts_from = {START.format(since="resuming.since", until="resuming.until")}
    FROM resuming
    WHERE NOT %(keep_times)s AND {look_up("e.id", "resuming.id")} AND {checked("e.status IN ('active', 'paused')")}
)
UPDATE holds SET keep_times = %(keep_times)s, released_sequence = %(sequence)s, released_to = %(last)s
WHERE id = %(hold)s
"""

HOLD: Final = "SELECT keep_times FROM holds WHERE id = %(hold)s"

END: Final = "DELETE FROM holds WHERE id = %(hold)s"

#: Enrollments that are resumed in one transaction.
CHUNK: Final = 500

#: No hold.
NONE: Final = 0


@dataclass(frozen=True, slots=True)
class Released:
    """A chunk of what a hold has kept."""

    enrollments: int
    wakeups: list[Due]
    """To be scheduled after the COMMIT, in sequence time."""
    over: bool
    """Nothing is held any more."""


def resume_enrollment(
    session: Session, workspace_id: int, enrollment_id: int, *, keep_times: bool
) -> tuple[str, list[Due]] | None:
    """Resume a paused enrollment; give the status it has then, and its wake-ups. None: it is not paused."""
    row = session.execute(
        ONE,
        {
            "workspace": workspace_id,
            "enrollment": enrollment_id,
            "keep_times": keep_times,
            "hold": NONE,
            "shut": MOVED_WHILE_SHUT,
        },
    ).fetchone()
    return None if row is None else (str(row[0]), wakeups_of(session, [enrollment_id]))


def release(session: Session, hold: int, *, keep_times: bool, limit: int = CHUNK) -> Released:
    """Resume the next enrollments that a hold has kept; what was begun with another choice of times goes on with that.

    Before it, `one_by_one` (engine/outbox/hold.py).
    """
    begun_with = session.execute(HOLD, {"hold": hold}).fetchone()
    rows = session.execute(NEXT, {"hold": hold, "limit": limit}).fetchall()
    if not rows:
        session.execute(END, {"hold": hold})
        return Released(0, [], over=True)
    enrollments: Sequence[int] = [enrollment_id for _, enrollment_id in rows]
    session.execute(
        MANY,
        {
            "hold": hold,
            "enrollments": enrollments,
            "keep_times": keep_times if begun_with is None or begun_with[0] is None else begun_with[0],
            "sequence": rows[-1][0],
            "last": rows[-1][1],
            "shut": MOVED_WHILE_SHUT,
        },
    )
    return Released(len(rows), wakeups_of(session, list(enrollments)), over=False)
