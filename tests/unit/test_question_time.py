"""When the time of a question is over: counted from the message's hand-over, or from the step's turn."""

from typing import Any

import pytest

from engine.rules.facts import Facts, StepFact
from engine.rules.question_time import over_at
from schema.definition import InvalidDefinition, TimedQuestion, parse
from schema.definition.definition import Definition
from schema.definition.gates import question_of
from schema.definition.writing import to_yaml
from schema.states import RowStatus

DAY = 86_400.0
FILE = """
sequence: ask
steps:
  - {key: mail, type: email, subject: Hi, text: Hello}
  - {key: asked, type: condition, delay: 3 days, if: QUESTION, then: [{key: bye, type: sms, body: Bye}]}
"""


def asked(question: str) -> TimedQuestion:
    found = question_of(parse(FILE.replace("QUESTION", question)).steps[1])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("question", "of"),
    [
        ("{opened: mail, within: 1 day}", "sent"),
        ("{clicked: mail, within: 1 day}", "sent"),
        ("{clicked: {step: mail, link: 'https://example.com'}, within: 1 day}", "sent"),
        ("{replied: mail, within: 1 day}", "sent"),
        ("{not: {opened: mail}, within: 1 day}", "sent"),
        ("{any: [{opened: mail}, {replied: mail}], within: 1 day}", "sent"),
        ("{any: [{opened: mail}, {replied: true}], within: 1 day}", None),
        ("{replied: true, within: 1 day}", None),
        ("{delivered: mail, within: 1 day}", None),
        ("{has: plan, within: 1 day}", None),
        ("{opened: mail}", None),
        ("{opened: mail, within: 1 day, of: step}", "step"),
        ("{delivered: mail, within: 1 day, of: sent}", "sent"),
    ],
)
def test_what_people_did_with_a_message_counts_from_its_hand_over_by_default(question: str, of: str | None) -> None:
    assert asked(question).of == of


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("{opened: mail, within: 1 day, of: start}", "'of' can't be 'start': expected sent or step"),
        ("{opened: mail, of: sent}", "'of' says what 'within' counts from: add 'within'"),
        ("{replied: true, within: 1 day, of: sent}", "'of: sent' needs a question about a message"),
    ],
)
def test_a_base_that_makes_no_sense_is_refused(question: str, says: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse(FILE.replace("QUESTION", question))
    assert [says in str(problem) for problem in refused.value.problems] == [True]


@pytest.mark.parametrize(
    ("question", "mail", "over"),
    [
        ("{opened: mail, within: 1 day}", StepFact(RowStatus.SENT, sent_at=DAY, counts_from=DAY), 2 * DAY),
        ("{opened: mail, within: 5 days}", StepFact(RowStatus.SENT, sent_at=DAY, counts_from=DAY), 6 * DAY),
        ("{opened: mail, within: 1 day}", StepFact(RowStatus.SENT, sent_at=DAY, counts_from=3 * DAY), 4 * DAY),
        ("{opened: mail, within: 1 day, of: step}", StepFact(RowStatus.SENT, sent_at=DAY, counts_from=DAY), 5 * DAY),
        ("{opened: mail, within: 1 day}", StepFact(RowStatus.SKIPPED), 4 * DAY),
        ("{opened: mail, within: 1 day}", StepFact(RowStatus.REVIEW), 5 * DAY),
        ("{opened: mail}", StepFact(RowStatus.SENT, sent_at=DAY, counts_from=DAY), 4 * DAY),
    ],
)
def test_its_time_is_over_so_long_after_its_base(question: str, mail: StepFact, over: float) -> None:
    assert over_at(asked(question), Facts(0.0, {"mail": mail}), 4 * DAY) == over


@pytest.mark.parametrize("question", ["{opened: mail, within: 1 day}", "{opened: mail, within: 36 hours, of: step}"])
def test_what_is_written_out_reads_as_the_same(question: str) -> None:
    definition = parse(FILE.replace("QUESTION", question))
    assert parse(to_yaml(definition)) == definition


def test_what_was_stored_before_there_was_a_choice_keeps_its_meaning() -> None:
    stored: dict[str, Any] = parse(FILE.replace("QUESTION", "{opened: mail, within: 1 day}")).canonical()
    del stored["steps"][1]["if"]["of"]
    restored = Definition.restore(stored)
    question = question_of(restored.steps[1])
    assert question is not None
    assert question.of is None
    sent = StepFact(RowStatus.SENT, sent_at=DAY, counts_from=DAY)
    assert over_at(question, Facts(0.0, {"mail": sent}), 4 * DAY) == 5 * DAY
    assert question_of(parse(to_yaml(restored)).steps[1]) == question.model_copy(update={"of": "step"})


def test_the_words_name_the_base() -> None:
    assert str(asked("{opened: mail, within: 36 hours}")) == "opened mail within 36 hours of sending"
    assert str(asked("{opened: mail, within: 1 day, of: step}")) == "opened mail"
