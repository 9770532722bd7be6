"""Decide conditions, and end waits, by what is known; also as soon as something is heard of their contact."""

from dataclasses import dataclass
from typing import Final

from engine.database import Session
from engine.outbox.advance import GateEnd, Held, end_gate, hold, program_of, steps_of
from engine.outbox.facts import read_facts
from engine.rules.judging import judge
from engine.rules.program import Place
from engine.wakeups import Due
from schema.definition import ConditionStep, TimedQuestion, WaitStep
from schema.definition.gates import ELSE, MET, THEN, TIMED_OUT
from schema.states import UNDECIDED, EnrollmentStatus, RowStatus

#: Before its enrollments, as those do who end them (engine/outbox/leave.py).
HOLD_CONTACT: Final = "SELECT FROM contacts WHERE id = %(contact)b FOR NO KEY UPDATE"

#: Waits for whoever is about to find that a gate is undecided, or to end it.
HOLD_ALL: Final = """
SELECT id FROM enrollments WHERE contact_id = %(contact)b AND status = 'active' ORDER BY id FOR NO KEY UPDATE
"""

WATCHING: Final = f"""
SELECT o.enrollment_id, o.step_order, date_part('epoch', o.due_at) FROM outbox o
WHERE o.enrollment_id = ANY(%(enrollments)b::bigint[]) AND o.status = 'pending' AND o.outcome = '{UNDECIDED}'
ORDER BY o.enrollment_id, o.step_order
"""

#: The contact, if a gate of the same enrollment waits for what may be heard.
WATCHED: Final = f"""
SELECT e.contact_id FROM outbox o JOIN enrollments e ON e.id = o.enrollment_id
WHERE o.id = %(row)b AND EXISTS (
    SELECT FROM outbox gate WHERE gate.enrollment_id = o.enrollment_id AND gate.step_order > o.step_order
        AND gate.status = 'pending' AND gate.outcome = '{UNDECIDED}'
)
"""

#: The row is held by way of its enrollment.
WAIT: Final = f"""
UPDATE outbox SET due_at = to_timestamp(%(until)b::float8), outcome = '{UNDECIDED}', reason = %(reason)b,
    retry_at = NULL, fence = fence + 1
WHERE id = %(row)b AND status = 'pending'
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


def decide(session: Session, held: Held, place: Place, asked: Asked, by: float, *, last: bool) -> GateEnd | None:
    """Judge by what was heard until `by`, in sequence seconds; None: it can't be told yet."""
    answer = judge(asked.question, read_facts(session, held), by, last=last)
    if answer is None:
        return None
    outcome = asked.yes if answer else asked.no
    return GateEnd(place.order, RowStatus.DONE, f"{asked.question}: {'yes' if answer else 'no'}", outcome)


def wait_for(session: Session, row_id: int, asked: Asked, until: float) -> list[Due]:
    """Let a gate wait, at most until then; give its wake-up for after the COMMIT."""
    session.execute(WAIT, {"row": row_id, "until": until, "reason": f"waits: {asked.question}"}, binary=True)
    return [(until, [row_id])]


def heed(session: Session, contact_id: int, now: float) -> list[Due]:
    """End those gates of a contact that can be decided by what has just been heard; give the wake-ups that follow."""
    session.execute(HOLD_CONTACT, {"contact": contact_id}, binary=True)
    held_now = [row[0] for row in session.execute(HOLD_ALL, {"contact": contact_id}, binary=True).fetchall()]
    watching = session.execute(WATCHING, {"enrollments": held_now}, binary=True).fetchall() if held_now else []
    due: list[Due] = []
    for enrollment_id, order, deadline in watching:
        held = hold(session, enrollment_id)
        if held is None or held.status is not EnrollmentStatus.ACTIVE:
            continue
        program = program_of(session, held.version_id)
        place = program.places[order - 1]
        asked = asked_by(place)
        if asked is None or now > deadline:
            continue  # the worker decides it
        end = decide(session, held, place, asked, now, last=False)
        if end is not None:
            due += end_gate(session, held, program, steps_of(session, held.id), end, now) or []
    return due


def heed_report(session: Session, row_id: int, now: float) -> list[Due]:
    """End those gates that can be decided by what a provider has just said of a message."""
    row = session.execute(WATCHED, {"row": row_id}, binary=True).fetchone()
    return [] if row is None else heed(session, row[0], now)
