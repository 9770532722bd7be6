"""A condition or a wait that is due: decided now, or when something is heard, or at the end of its time."""

from engine.outbox.advance import GateEnd
from engine.outbox.decide import asked_by, decide, wait_for
from engine.outbox.facts import read_facts
from engine.rules.question_time import over_at
from schema.states import UNDECIDED, RowStatus
from workers.gates.facing import Decision, Facing


def settle_question(facing: Facing) -> Decision:
    """Decide, or wait on; what can't be told before its time is over is told then.

    What counts from a message may be over before the turn of the step: then only what was heard in its time counts.
    """
    row, place = facing.row, facing.place
    asked = asked_by(place)
    if asked is None:  # a mere delay, which is over
        return Decision(GateEnd(place.order, RowStatus.DONE))
    facts = read_facts(facing.session, facing.held.id)
    over, turn = row.due_at, row.due_at
    if facing.steps[place.order].standing.outcome != UNDECIDED:
        turn = facing.reached(row.due_at) if asked.question.within is not None else row.due_at
        over = over_at(asked.question, facts, turn)
    last = facing.now >= over
    end = decide(facts, place, asked, min(over, facing.now), last=last)
    if end is None:
        return Decision(wakeups=wait_for(facing.session, row.id, asked, over))
    return Decision(end, ended_at=facing.reached(max(over, turn)) if last else None)
