"""A condition or a wait that is due: decided now, or when something is heard, or at the end of its time."""

from engine.outbox.advance import GateEnd
from engine.outbox.decide import asked_by, decide, wait_for
from schema.states import UNDECIDED, RowStatus
from workers.gates.facing import Decision, Facing


def settle_question(facing: Facing) -> Decision:
    """Decide, or wait on; what can't be told before its time is over is told then."""
    row, place = facing.row, facing.place
    asked = asked_by(place)
    if asked is None:  # a mere delay, which is over
        return Decision(GateEnd(place.order, RowStatus.DONE))
    over = row.due_at
    if facing.steps[place.order].standing.outcome != UNDECIDED and asked.question.within is not None:
        over = facing.reached(row.due_at) + asked.question.within.total_seconds()
    last = facing.now >= over
    end = decide(facing.session, facing.held, place, asked, min(over, facing.now), last=last)
    if end is None:
        return Decision(wakeups=wait_for(facing.session, row.id, asked, over))
    return Decision(end, ended_at=facing.reached(over) if last else None)
