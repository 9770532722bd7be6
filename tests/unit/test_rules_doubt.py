"""What becomes of a row in doubt, by what its provider shows."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.rules.doubt import (
    LOOKS,
    PATIENCE,
    TRIAL,
    Decision,
    Seen,
    comparable,
    decide_sms,
    decide_without_look_up,
    strangers,
)
from schema.states import RowStatus

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_one_match_is_the_message_whatever_else_there_is() -> None:
    assert decide_sms(["SM1"], ["SM2"], 0) == Decision(RowStatus.SENT, "found at the provider", "SM1")


@pytest.mark.parametrize(("matches", "others"), [(["SM1", "SM2"], []), ([], ["SM1"]), (["SM1", "SM2"], ["SM3"])])
def test_what_is_not_clear_is_for_a_person_who_is_told_the_candidates(matches: list[str], others: list[str]) -> None:
    decision = decide_sms(matches, others, LOOKS)
    assert decision.status is RowStatus.REVIEW
    assert all(sid in decision.reason for sid in [*matches, *others])


def test_a_match_that_may_be_of_another_row_is_for_a_person() -> None:
    decision = decide_sms(["SM1"], [], 0, has_rivals=True)
    assert decision.status is RowStatus.REVIEW and "SM1" in decision.reason
    assert decide_sms([], [], 1, has_rivals=True).status is RowStatus.PENDING


def test_of_many_candidates_some_are_told() -> None:
    reason = decide_sms([f"SM{number}" for number in range(100)], [], 0).reason
    assert reason.startswith("100 messages") and len(reason) < 100


def test_nothing_is_believed_at_the_second_look() -> None:
    assert decide_sms([], [], 0).status is None
    assert decide_sms([], [], 1).status is RowStatus.PENDING


@pytest.mark.parametrize(
    "theirs", ["Hi\nthere", TRIAL + "Hi\nthere", " Hi\nthere\n", "Hi\r\nthere", TRIAL + "Hi\r\nthere "]
)
def test_what_a_provider_changes_of_a_text(theirs: str) -> None:
    assert comparable(theirs) == comparable("Hi\nthere ")


@pytest.mark.parametrize("theirs", ["Hi there", "hi\nthere", "Hi\nthere!", "", "Hi\n\nthere"])
def test_what_is_another_text(theirs: str) -> None:
    assert comparable(theirs) != comparable("Hi\nthere")


def test_a_message_that_nothing_explains() -> None:
    seen = [
        Seen("SM1", "known", NOON),
        Seen("SM2", "Bye ", NOON),
        Seen("SM3", "made much later", NOON + timedelta(minutes=5)),
        Seen("SM4", "", NOON),
        Seen("SM5", "He11o", NOON + timedelta(seconds=10)),
    ]
    assert strangers(seen, {"SM1"}, ["Bye"], NOON) == ["SM4", "SM5"]


@pytest.mark.parametrize(
    ("for_good", "age", "status"),
    [
        (False, 0.0, None),
        (False, PATIENCE, None),
        (False, PATIENCE + 1, RowStatus.REVIEW),
        (True, 0.0, RowStatus.REVIEW),
    ],
)
def test_who_can_not_be_asked_is_not_waited_for_for_ever(for_good: bool, age: float, status: RowStatus | None) -> None:
    assert decide_without_look_up("answer 503", for_good, age).status is status
