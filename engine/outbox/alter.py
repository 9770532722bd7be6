"""What somebody changes in the steps of one enrollment: when a step is due, and whether it is there at all.

The enrollment and its steps are held before (producers/enrollments.py, `steps_of` of engine/outbox/steer.py).
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from engine.clock import from_epoch
from engine.database import Session
from engine.outbox.advance import Held, go_on, steps_of
from engine.outbox.base import before
from engine.outbox.hours import HOURS, hours_of
from engine.outbox.lookups import checked, look_up
from engine.outbox.replan import Late, replan_behind
from engine.outbox.timing import timing_of
from engine.rules.calendar import calendar_of, next_open, whereabouts
from engine.rules.planner import Standing, Timing, advance
from engine.rules.planning import not_before
from engine.rules.program import Place, Program
from schema.definition import Delay
from schema.states import RowStatus

#: The reason of a step that somebody has taken out of an enrollment.
DELETED: Final = "deleted"

SET_DELAY: Final = """
UPDATE enrollments SET own_delays = coalesce(own_delays, '{}') || %(own)s::jsonb WHERE id = %(enrollment)s
"""
NO_DELAY: Final = """
UPDATE enrollments SET own_delays = nullif(own_delays - %(key)s::text, '{}') WHERE id = %(enrollment)s
"""
MODIFIED: Final = "UPDATE enrollments SET modified_at = clock_timestamp() WHERE id = %(enrollment)s"

SET_DUE: Final = f"""
UPDATE outbox SET due_at = to_timestamp(%(due)s), retry_at = NULL, reason = %(reason)s,
    rescheduled_at = CASE WHEN %(fixed)s THEN sequence_now() END
WHERE id = %(row)s AND {checked("status = 'pending'")}
"""

#: All that has not begun from there on, by the same time.
EARLIER: Final = f"""
UPDATE outbox SET due_at = due_at - %(seconds)s * interval '1 second'
WHERE enrollment_id = %(enrollment)s AND step_order >= %(order)s AND {checked("status = 'pending'")}
"""

DELETE: Final = f"""
UPDATE outbox SET status = 'skipped', reason = '{DELETED}', retry_at = NULL, fence = fence + 1
WHERE id = %(row)s AND {checked("status IN ('pending', 'waiting')")}
"""

CONTACT: Final = f"""
SELECT c.timezone, c.phone, c.attributes || e.data, {HOURS}
FROM enrollments e JOIN contacts c ON {look_up("c.id", "e.contact_id")}
JOIN workspaces w ON {look_up("w.id", "e.workspace_id")}
WHERE e.id = %(enrollment)s
"""


class Moved(NamedTuple):
    """When a step is due now, in seconds of sequence time."""

    due_at: float
    reasons: tuple[str, ...] = ()
    """What its window had to say."""


def mark_modified(session: Session, enrollment_id: int) -> None:
    """Note that the steps of an enrollment are no longer all as its version has them."""
    session.execute(MODIFIED, {"enrollment": enrollment_id})


def set_delay(session: Session, enrollment_id: int, key: str, delay: Delay) -> None:
    """Let a step wait so long in this enrollment, whenever it is planned."""
    session.execute(SET_DELAY, {"enrollment": enrollment_id, "own": json.dumps({key: str(delay)})})


def forget_delay(session: Session, enrollment_id: int, key: str) -> None:
    """Let a step have no delay of its own any more."""
    session.execute(NO_DELAY, {"enrollment": enrollment_id, "key": key})


def by_delay(session: Session, held: Held, program: Program, place: Place) -> Moved:
    """When a step is due by its own delay after the one before."""
    timed = timing_of(session, held.id, program)(place, before(session, held.id, place.order))
    if timed.due_at is None:
        raise LookupError("a delay has an end")
    return Moved(timed.due_at, timed.reasons)


def by_moment(session: Session, held: Held, program: Program, place: Place, moment: datetime) -> Moved:
    """When a step is due that is to go out at a moment: then, or when its window opens."""
    row = session.execute(CONTACT, {"enrollment": held.id}).fetchone()
    if row is None or program.definition is None:
        raise LookupError(f"enrollment {held.id} has no contact")
    timezone, phone, attributes, *hours = row
    where = whereabouts(timezone, phone, hours_of(*hours), attributes)
    calendar = calendar_of(place.step, program.definition, where)
    opening = next_open(moment, calendar)
    return Moved((opening.moment or moment).timestamp(), opening.reasons)


def move(
    session: Session, held: Held, row_id: int, place: Place, was: float, moved: Moved, reason: str, *, fixed: bool
) -> None:
    """Let a step be due at another time; those behind it keep their distances. `fixed`: a pause does not move it."""
    if moved.due_at < was:
        early = {"enrollment": held.id, "order": place.order + 1, "seconds": was - moved.due_at}
        session.execute(EARLIER, early)
    session.execute(SET_DUE, {"row": row_id, "due": moved.due_at, "reason": reason, "fixed": fixed})
    if moved.due_at > was:
        replan_behind(session, [Late(held.id, place.order, from_epoch(was), from_epoch(moved.due_at))])


def delete(session: Session, held: Held, program: Program, place: Place, now: float) -> bool:
    """Take a step out; the next keeps its own delay, after the one before. False: it has begun, or ended."""
    steps = steps_of(session, held.id)
    step = steps[place.order]
    if session.execute(DELETE, {"row": step.id}).rowcount != 1:
        return False
    standings = {order: one.standing for order, one in steps.items()}
    standings[place.order] = Standing(RowStatus.SKIPPED)
    timing = not_before(timing_of(session, held.id, program), now)
    base = before(session, held.id, place.order)
    if step.standing.status is RowStatus.PENDING and not place.step.gate:
        close_up(session, held, program, standings, place, timing, base)
    go_on(session, held.id, advance(program, standings, base, timing))
    return True


def close_up(
    session: Session,
    held: Held,
    program: Program,
    standings: Mapping[int, Standing],
    place: Place,
    timing: Timing,
    base: float,
) -> None:
    """Move the steps behind one that never began: they count from `base`, when the step before it ended."""
    for following in program.places[place.order :]:
        standing = standings[following.order]
        if standing.status is RowStatus.PENDING and standing.due_at is not None:
            due = timing(following, base).due_at
            if due is not None and due < standing.due_at:
                early = {"enrollment": held.id, "order": following.order, "seconds": standing.due_at - due}
                session.execute(EARLIER, early)
            return
