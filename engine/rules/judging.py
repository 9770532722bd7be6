"""Judge questions: true, false, or not to be told yet, since it can still come true."""

from collections.abc import Collection, Iterable
from typing import Final, TypeAlias

from engine.rules.facts import Facts, Signal, StepFact
from schema.definition import Question
from schema.states import BLOCKING, RowStatus, SignalKind

#: None: it is not so, and can still become so.
Answer: TypeAlias = bool | None

#: Twilio's words (engine/rules/delivery_status.py) and those of events.
DELIVERED: Final = ("delivered", "read")
UNDELIVERED: Final = ("undelivered", "failed")

#: Messages in one of these never went out, and never will.
NEVER_SENT: Final = (RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.CANCELLED)

UNKNOWN_STEP: Final = StepFact(RowStatus.WAITING)


def judge(question: Question, facts: Facts, by: float, *, last: bool) -> Answer:
    """Judge by what was heard until `by`; `last`: the time is over, so that what is not so is false.

    Who has clicked has opened. What machines do (mail scanners, proxies that fetch everything) is no person's doing.
    """
    if question.any_of is not None:
        return _any(judge(part, facts, by, last=last) for part in question.any_of)
    if question.all_of is not None:
        return _all(judge(part, facts, by, last=last) for part in question.all_of)
    if question.negated is not None:
        return _not(judge(question.negated, facts, by, last=last))
    answer = _atom(question, facts, by)
    return False if answer is None and last else answer


def _atom(question: Question, facts: Facts, by: float) -> Answer:
    heard = [signal for signal in facts.signals if facts.enrolled_at <= signal.at <= by and signal.machine is None]
    if question.opened is not None:
        return _of_message(question.opened, facts, heard, (SignalKind.OPENED, SignalKind.CLICKED))
    if question.clicked is not None:
        link = question.clicked.link
        clicks = [signal for signal in heard if link is None or _matches(signal.link, link)]
        return _of_message(question.clicked.step, facts, clicks, (SignalKind.CLICKED,))
    if question.replied is not None:
        return _replied(question.replied, facts, heard)
    if question.delivered is not None:
        return _delivered(question.delivered, facts, heard)
    if question.failed is not None:
        return _failed(question.failed, facts, heard)
    if question.outcome is not None:
        ((key, wanted),) = question.outcome.items()
        step = facts.steps.get(key, UNKNOWN_STEP)
        return None if step.status in BLOCKING else step.outcome == wanted
    if question.event is not None:
        return _so(any(signal.kind == SignalKind.CUSTOM and signal.name == question.event for signal in heard))
    return _of_contact(question, facts)


def _of_contact(question: Question, facts: Facts) -> Answer:
    if question.attribute is not None:
        ((name, wanted),) = question.attribute.items()
        return _so(_is_one_of(_written(facts.attributes.get(name)), wanted, exact=bool(question.exact)))
    if question.has is not None:
        return _so(_written(facts.attributes.get(question.has)) not in (None, ""))
    if question.tag is not None:
        return _so(question.tag in facts.tags)
    if question.enrolled_in is not None:
        return _so(question.enrolled_in in facts.sequences)
    raise ValueError("nothing is asked")


def _of_message(key: str, facts: Facts, heard: Iterable[Signal], kinds: tuple[SignalKind, ...]) -> Answer:
    """Whether something was heard of a message; not of one that never went out."""
    if any(signal.step == key and signal.kind in kinds for signal in heard):
        return True
    return False if facts.steps.get(key, UNKNOWN_STEP).status in NEVER_SENT else None


def _replied(to: bool | str, facts: Facts, heard: Iterable[Signal]) -> Answer:
    """A reply to a message is one that came after it: text messages do not say what they answer."""
    replies = [signal.at for signal in heard if signal.kind == SignalKind.REPLIED]
    if isinstance(to, bool):
        return _so(bool(replies))
    step = facts.steps.get(to, UNKNOWN_STEP)
    if step.sent_at is not None and any(at >= step.sent_at for at in replies):
        return True
    return False if step.status in NEVER_SENT else None


def _delivered(key: str, facts: Facts, heard: Iterable[Signal]) -> Answer:
    step = facts.steps.get(key, UNKNOWN_STEP)
    if step.delivery in DELIVERED:
        return True
    if step.delivery in UNDELIVERED:
        return False
    return _of_message(key, facts, heard, (SignalKind.DELIVERED, SignalKind.OPENED, SignalKind.CLICKED))


def _failed(key: str, facts: Facts, heard: Iterable[Signal]) -> Answer:
    step = facts.steps.get(key, UNKNOWN_STEP)
    if step.status is RowStatus.FAILED or step.delivery in UNDELIVERED:
        return True
    if step.delivery in DELIVERED:
        return False
    return _of_message(key, facts, heard, (SignalKind.FAILED, SignalKind.BOUNCED))


def _any(answers: Iterable[Answer]) -> Answer:
    given = list(answers)
    return True if True in given else None if None in given else False


def _all(answers: Iterable[Answer]) -> Answer:
    given = list(answers)
    return False if False in given else None if None in given else True


def _not(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _is_one_of(value: str | None, wanted: Collection[str], *, exact: bool) -> bool:
    """Return whether an attribute has one of the values; `Pro` is `pro`, as `TRUE` is `true`, unless it is exact."""
    if value is None or exact:
        return value in wanted
    return value.casefold() in (one.casefold() for one in wanted)


def _so(it_is: bool) -> Answer:
    """What can still become so while there is time."""
    return True if it_is else None


def _matches(link: str | None, wanted: str) -> bool:
    if link is None:
        return False
    return link.startswith(wanted[:-1]) if wanted.endswith("*") else link.rstrip("/") == wanted.rstrip("/")


def _written(value: object) -> str | None:
    """An attribute as it would be written in a file."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
