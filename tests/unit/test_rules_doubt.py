"""What becomes of a row in doubt."""

import pytest

from engine.rules.doubt import Sighting, decide_by_answer, decide_email, decide_sms
from schema.states import AttemptOutcome, RowStatus


def test_one_match_is_the_message() -> None:
    decision = decide_sms(Sighting(("SM1",)), 0, 0)
    assert (decision.status, decision.provider_id) == (RowStatus.SENT, "SM1")


@pytest.mark.parametrize(
    ("sighting", "rivals"),
    [(Sighting(("SM1", "SM2")), 0), (Sighting(("SM1",), unclear=1), 0), (Sighting((), unclear=1), 0)],
)
def test_what_is_not_clear_is_for_a_person(sighting: Sighting, rivals: int) -> None:
    assert decide_sms(sighting, 5, rivals).status is RowStatus.REVIEW


def test_a_match_that_another_row_may_claim_is_for_a_person() -> None:
    assert decide_sms(Sighting(("SM1",)), 0, 1).status is RowStatus.REVIEW


@pytest.mark.parametrize("rivals", [0, 1])
def test_a_text_that_is_not_found_is_sent_again_after_two_looks(rivals: int) -> None:
    assert decide_sms(Sighting(), 0, rivals).status is None
    assert decide_sms(Sighting(), 1, rivals).status is RowStatus.PENDING


def test_an_email_without_an_answer() -> None:
    assert decide_email("at_most_once", 1).status is RowStatus.REVIEW
    assert decide_email("at_least_once", 1).status is RowStatus.PENDING
    assert decide_email("at_least_once", 2).status is RowStatus.REVIEW


def test_a_late_answer_is_an_answer() -> None:
    assert decide_by_answer("unanswered", None) is None
    for outcome, status in [
        (AttemptOutcome.HELD, RowStatus.PENDING),
        (AttemptOutcome.DEFERRED, RowStatus.PENDING),
        (AttemptOutcome.REFUSED, RowStatus.FAILED),
    ]:
        decision = decide_by_answer(outcome, "no connection")
        assert decision is not None and decision.status is status and "no connection" in decision.reason
