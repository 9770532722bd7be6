"""Remove events of enrollments that ended long ago: in bounded steps, each a transaction of its own.

Nothing is removed that a running enrollment, a row in doubt or a promise may still need: who asked not to be contacted
stays for ever, and so do enrollments and the keys of enroll events. Steps are archived (engine/outbox/cold_move.py).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from engine.database import Session
from schema.states import EnrollmentStatus, RowStatus, sql_list

#: The first day that is kept: so many whole months before this one. Real time, and what it is on the sequence clock.
CUTOFF: Final = """
SELECT real_first.at, real_first.at + (sequence_now() - clock_timestamp())
FROM (
    SELECT date_trunc('month', clock_timestamp(), 'UTC') - %(months)s::int * interval '1 month'
) AS real_first (at)
"""

#: Whose enrollment `e` has ended before the cutoff.
HAS_ENDED: Final = f"""
    e.status IN ({sql_list(EnrollmentStatus.COMPLETED, EnrollmentStatus.CANCELLED)})
    AND coalesce(e.completed_at, e.cancelled_at) < %(ended_before)s
"""

#: Rows of these may still become something else: by a look-up, a callback, or an operator.
OPEN_QUESTIONS: Final = (RowStatus.SENDING, RowStatus.UNKNOWN, RowStatus.REVIEW)

#: The row of an event (`page`) has not ended. A row that is not there is archived, so it has.
ROW_IS_NEEDED: Final = f"""
    EXISTS (
        SELECT FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
        WHERE o.id = page.outbox_id AND NOT (o.status NOT IN ({sql_list(*OPEN_QUESTIONS)}) AND {HAS_ENDED})
        OFFSET 0
    )
"""

#: What proves that somebody asked not to be contacted, or to be contacted again.
CONSENT: Final = "'stop', 'start', 'doubtful', 'unsubscribed', 'complained'"

REMOVABLE: Final = f"""
    page.status NOT IN ({CONSENT})
    AND (page.outbox_id IS NULL OR NOT {ROW_IS_NEEDED})
    AND (page.contact_id IS NULL OR NOT EXISTS (
        SELECT FROM enrollments e WHERE e.contact_id = page.contact_id AND NOT ({HAS_ENDED}) OFFSET 0
    ))
"""

#: A page in the order of the primary key, which is that of time, or nearly so.
EVENTS: Final = f"""
WITH page AS MATERIALIZED (
    SELECT ev.id, ev.outbox_id, ev.contact_id, ev.status, ev.received_at AS at FROM events ev
    WHERE ev.id > %(after)s AND ev.id < %(until)s ORDER BY ev.id LIMIT %(limit)s
),
judged AS MATERIALIZED (
    SELECT page.*, date_trunc('month', page.at, 'UTC')::date AS month, {REMOVABLE} AS removable FROM page
    WHERE page.at < %(before)s
),
removed AS (
    DELETE FROM events ev USING judged WHERE NOT %(dry_run)s AND judged.removable AND ev.id = judged.id
),
months AS (
    SELECT month, count(*) FILTER (WHERE removable) AS removed, count(*) FILTER (WHERE NOT removable) AS kept
    FROM judged GROUP BY month
)
SELECT (SELECT count(*) FROM page), (SELECT max(id) FROM page),
    (SELECT coalesce(jsonb_object_agg(month, ARRAY[removed, kept]), '{{}}') FROM months)
"""

#: Numbers rise with time: behind the first enrollment, or event, since the cutoff, there is nothing old.
FIRST_ENROLLMENT: Final = "SELECT id, created_at FROM enrollments WHERE id >= %s ORDER BY id LIMIT 1"
FIRST_EVENT: Final = "SELECT id, received_at FROM events WHERE id >= %s ORDER BY id LIMIT 1"
LAST: Final = "SELECT coalesce((SELECT max(id) FROM enrollments), 0), coalesce((SELECT max(id) FROM events), 0)"

#: Above every id.
ALL: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cutoff:
    """What is older is removed."""

    before: datetime
    """Real time."""
    ended_before: datetime
    """The same moment on the sequence clock."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the walk through each table ends: no row from there on is older than the cutoff."""

    enrollments: int
    events: int


@dataclass(frozen=True, slots=True)
class Step:
    """What a step found, and where the next one begins."""

    is_last: bool
    after: int
    months: dict[date, tuple[int, int]]
    """By month: how many were removed, and how many that are as old are kept."""


#: Where the first step begins.
START: Final = -1


def cutoff(session: Session, months: int) -> Cutoff:
    """Return the moment before which things are removed: so many whole months are kept, and the current one."""
    row = session.execute(CUTOFF, {"months": months}).fetchone()
    if row is None:
        raise LookupError("the sequence clock is not there: run `cadenza migrate`")
    return Cutoff(*row)


def bounds(session: Session, before: datetime) -> Bounds:
    """Find where rows begin that are not older than a moment."""
    row = session.execute(LAST).fetchone()
    last_enrollment, last_event = row or (0, 0)
    enrollment = _first_since(session, FIRST_ENROLLMENT, last_enrollment, before)
    event = _first_since(session, FIRST_EVENT, last_event, before)
    return Bounds(ALL if enrollment is None else enrollment, ALL if event is None else event)


def _first_since(session: Session, query: str, last: int, moment: datetime) -> int | None:
    """Search the ids by halves for the first of this moment or later; None: all are older."""
    low, high, found = 0, last, None
    while low <= high:
        middle = (low + high) // 2
        row = session.execute(query.encode(), (middle,)).fetchone()
        if row is None:
            high = middle - 1
        elif row[1] >= moment:
            found, high = int(row[0]), middle - 1
        else:
            low = int(row[0]) + 1
    return found


def step_events(session: Session, cutoff: Cutoff, until: int, after: int, limit: int, *, dry_run: bool) -> Step:
    """Remove the old ones of a page of events; with `dry_run`, count them."""
    asked: dict[str, Any] = {
        "before": cutoff.before,
        "ended_before": cutoff.ended_before,
        "until": until,
        "after": after,
        "limit": limit,
        "dry_run": dry_run,
    }
    row = session.execute(EVENTS, asked).fetchone()
    if row is None:
        raise LookupError("a step of retention gave nothing")
    size, last, months = row
    return Step(
        is_last=size < limit,
        after=after if last is None else last,
        months={date.fromisoformat(month): (removed, kept) for month, (removed, kept) in months.items()},
    )
