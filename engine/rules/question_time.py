"""When the time of a question is over. Epoch seconds of sequence time."""

from engine.rules.facts import Facts
from schema.definition import TimedQuestion
from schema.states import RowStatus


def over_at(question: TimedQuestion, facts: Facts, turn: float) -> float:
    """Return the moment at which the time of a question is over; `turn`: when the turn of its step came.

    With `of: sent` it counts from the last hand-over of the messages that it asks about. One that nobody knows of
    (`review`) counts from the turn. If no message went out there is nothing to wait for.
    """
    if question.within is None:
        return turn
    within = question.within.total_seconds()
    if question.of != "sent":
        return turn + within
    steps = [facts.steps[key] for key in question.messages() if key in facts.steps]
    if any(step.status is RowStatus.REVIEW for step in steps):
        return turn + within
    return max((step.counts_from + within for step in steps if step.counts_from is not None), default=turn)
