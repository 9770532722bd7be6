"""Decide conditions, and end waits, by what is known; also as soon as something is heard of their contact."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.arrays import BigInts, Ints
from engine.clock import sequence_now
from engine.database import Session
from engine.outbox.advance import GateEnd, end_gate, hold, program_of, steps_of
from engine.outbox.facts import read_all_facts, read_facts
from engine.outbox.goals import HAS_GOAL, end_at_goal
from engine.outbox.history import ENGINE
from engine.outbox.hold import STILL_SINCE
from engine.outbox.lookups import checked, look_up
from engine.rules.facts import Facts
from engine.rules.judging import judge
from engine.rules.program import Place, Program
from engine.wakeups import Due
from schema.definition import ConditionStep, TimedQuestion, WaitStep
from schema.definition.gates import ELSE, MET, THEN, TIMED_OUT
from schema.states import UNDECIDED, RowStatus

#: Before their enrollments, as those do who end them (engine/outbox/leave.py).
HOLD_CONTACTS: Final = """
SELECT FROM contacts WHERE id = ANY(%(contacts)b::bigint[]) ORDER BY id + 0 FOR NO KEY UPDATE
"""

#: Waits for whoever is about to find that a gate is undecided, or to end it.
HOLD_ALL: Final = f"""
SELECT e.id, {HAS_GOAL} FROM enrollments e
WHERE e.contact_id = ANY(%(contacts)b::bigint[]) AND {checked("e.status IN ('active', 'paused')")}
ORDER BY e.id + 0 FOR NO KEY UPDATE OF e
"""

WATCHING: Final = f"""
SELECT o.enrollment_id, o.step_order, date_part('epoch', o.due_at), e.version_id, date_part('epoch', {STILL_SINCE})
FROM outbox o JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")}
WHERE o.enrollment_id = ANY(%(enrollments)b::bigint[])
    AND {checked(f"o.status = 'pending' AND o.outcome = '{UNDECIDED}'")}
ORDER BY o.enrollment_id, o.step_order
"""

#: Those of many contacts whom something waits for: a gate, or a goal. Not in the enrollments that were just made.
AWAITED: Final = f"""
SELECT DISTINCT e.contact_id FROM enrollments e
WHERE e.contact_id = ANY(%(contacts)b::bigint[]) AND {checked("e.status IN ('active', 'paused')")}
    AND e.id <> ALL(%(new)b::bigint[]) AND ({HAS_GOAL} OR EXISTS (
        SELECT FROM outbox o
        WHERE o.enrollment_id = e.id AND {checked(f"o.status = 'pending' AND o.outcome = '{UNDECIDED}'")}
        OFFSET 0
    ))
"""

#: The contact, if a gate of the same enrollment waits for what may be heard, or a goal does.
WATCHED: Final = f"""
SELECT e.contact_id FROM outbox o JOIN enrollments e ON {look_up("e.id", "o.enrollment_id")}
WHERE o.id = %(row)b AND ({HAS_GOAL} OR EXISTS (
    SELECT FROM outbox gate WHERE gate.enrollment_id = o.enrollment_id AND gate.step_order > o.step_order
        AND {checked(f"gate.status = 'pending' AND gate.outcome = '{UNDECIDED}'")}
    OFFSET 0
))
"""

#: The same of many rows, driven by what is given: the planner takes such an array for one of ten, whatever the
#: statistics say.
WATCHED_BY_ANY: Final = f"""
SELECT DISTINCT e.contact_id
FROM (SELECT %(enrollments)b::bigint[] AS enrollments, %(orders)b::int[] AS orders OFFSET 0) AS given
CROSS JOIN LATERAL unnest(given.enrollments, given.orders) AS told (enrollment_id, step_order)
CROSS JOIN LATERAL (SELECT * FROM enrollments e WHERE e.id = told.enrollment_id OFFSET 0) AS e
WHERE {HAS_GOAL} OR EXISTS (
    SELECT FROM outbox gate WHERE gate.enrollment_id = told.enrollment_id AND gate.step_order > told.step_order
        AND gate.status = 'pending' AND gate.outcome = '{UNDECIDED}'
)
"""

#: The row is held by way of its enrollment.
WAIT: Final = f"""
UPDATE outbox SET due_at = to_timestamp(%(until)b::float8), outcome = '{UNDECIDED}', reason = %(reason)b,
    retry_at = NULL, fence = fence + 1
WHERE id = %(row)b AND {checked("status = 'pending'")}
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the words for its answers."""

    question: TimedQuestion
    yes: str
    no: str


def asked_by(place: Place) -> Asked | None:
    """What a step asks; None: nothing."""
    match place.step:
        case ConditionStep(condition=question):
            return Asked(question, THEN, ELSE)
        case WaitStep(until=question) if question is not None:
            return Asked(question, MET, TIMED_OUT)
        case _:
            return None


def decide(facts: Facts, place: Place, asked: Asked, by: float, *, last: bool) -> GateEnd | None:
    """Judge by what was heard until `by`, in sequence seconds; None: it can't be told yet."""
    answer = judge(asked.question, facts, by, last=last)
    if answer is None:
        return None
    outcome = asked.yes if answer else asked.no
    return GateEnd(place.order, RowStatus.DONE, f"{asked.question}: {'yes' if answer else 'no'}", outcome)


def wait_for(session: Session, row_id: int, asked: Asked, until: float) -> list[Due]:
    """Let a gate wait, at most until then; give its wake-up for after the COMMIT."""
    session.execute(WAIT, {"row": row_id, "until": until, "reason": f"waits: {asked.question}"}, binary=True)
    return [(until, [row_id])]


def heed(session: Session, contact_id: int, now: float, *, but: int | None = None) -> list[Due]:
    """Act on what has just been heard of a contact, or changed about it; see `heed_all`."""
    return heed_all(session, [contact_id], now, but=but)


def heed_awaited(session: Session, contacts: Sequence[int], new: Sequence[int]) -> list[Due]:
    """The same for those alone, of many contacts, whom something waits for besides their `new` enrollments."""
    if not contacts:
        return []
    rows = session.execute(AWAITED, {"contacts": list(contacts), "new": list(new)}, binary=True).fetchall()
    return heed_all(session, [row[0] for row in rows], sequence_now(session).timestamp()) if rows else []


def heed_all(session: Session, contacts: Sequence[int], now: float, *, but: int | None = None) -> list[Due]:
    """End the contacts' enrollments whose goal is reached, and those gates that can be decided now.

    Gives the wake-ups that follow. `but`: an enrollment whose goal the caller looks at when it is done with it.
    """
    session.execute(HOLD_CONTACTS, {"contacts": list(contacts)}, binary=True)
    held_now = session.execute(HOLD_ALL, {"contacts": list(contacts)}, binary=True).fetchall()
    left = end_at_goal(session, [one for one, has_goal in held_now if has_goal and one != but])
    running = {one for one, _ in held_now}.difference(left)
    watching = session.execute(WATCHING, {"enrollments": sorted(running)}, binary=True).fetchall() if running else []
    # The worker decides those whose time is over; the time of a paused enrollment stands still.
    watching = [row for row in watching if (now if row[4] is None else min(now, row[4])) <= row[2]]
    if not watching:
        return []
    facts = read_all_facts(session, [row[0] for row in watching])
    programs = {version: program_of(session, version) for version in {row[3] for row in watching}}
    due: list[Due] = []
    for enrollment_id, order, _, version_id, _ in watching:
        program = programs[version_id]
        asked = asked_by(program.places[order - 1])
        if asked is None or judge(asked.question, facts[enrollment_id], now, last=False) is None:
            continue
        due += _decide_one(session, enrollment_id, order, program, asked, now)
    return due


def _decide_one(
    session: Session, enrollment_id: int, order: int, program: Program, asked: Asked, now: float
) -> list[Due]:
    """End a gate that can be decided."""
    held = hold(session, enrollment_id)
    if held is None:
        return []
    end = decide(read_facts(session, held.id), program.places[order - 1], asked, now, last=False)
    if end is None:
        return []
    due = end_gate(session, held, program, steps_of(session, held.id), end, now, noted_by=ENGINE) or []
    if program.has_goal and end_at_goal(session, [held.id]):
        return []
    return due


def heed_report(session: Session, row_id: int, now: float) -> list[Due]:
    """End those gates that can be decided by what a provider has just said of a message."""
    row = session.execute(WATCHED, {"row": row_id}, binary=True).fetchone()
    return [] if row is None else heed(session, row[0], now)


def heed_reports(session: Session, steps: Sequence[tuple[int, int]], now: float) -> list[Due]:
    """End those gates that can be decided by what a provider has just said of messages.

    `steps`: the enrollments and the orders of the messages' rows.
    """
    asked = {
        "enrollments": BigInts([enrollment_id for enrollment_id, _ in steps]),
        "orders": Ints([order for _, order in steps]),
    }
    rows = session.execute(WATCHED_BY_ANY, asked, binary=True).fetchall()
    return heed_all(session, sorted(contact_id for (contact_id,) in rows), now) if rows else []
