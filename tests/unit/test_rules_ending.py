"""What becomes of a row when an attempt has ended."""

from dataclasses import replace
from math import inf

import pytest

from engine.rules.ending import IN_DOUBT, TOO_LATE, TRIES_USED_UP, Standing, judge
from engine.rules.greylisting import REFUSALS
from engine.rules.outcome import Outcome
from schema.states import FROM_SENDING, AttemptOutcome, RowStatus

STANDING = Standing(
    tries=0,
    attempts=1,
    max_tries=3,
    lateness=1.0,
    max_lateness=86_400.0,
    exit_on=("unsubscribed",),
    stop_on_failure=False,
    retry_base=5.0,
)


def test_accepted_is_sent() -> None:
    assert judge(Outcome(AttemptOutcome.ACCEPTED), STANDING, 0).status == RowStatus.SENT


def test_unanswered_is_unknown_and_never_tried_again() -> None:
    verdict = judge(Outcome(AttemptOutcome.UNANSWERED), STANDING, 0)
    assert (verdict.status, verdict.delay) == (RowStatus.UNKNOWN, None)


def test_refused_for_good_fails() -> None:
    verdict = judge(Outcome(AttemptOutcome.REFUSED, error_code="21211", detail="no such number"), STANDING, 0)
    assert (verdict.status, verdict.reason, verdict.exit_reason) == (RowStatus.FAILED, "no such number", None)


def test_refused_for_now_uses_a_try_until_there_is_none_left() -> None:
    outcome = Outcome(AttemptOutcome.DEFERRED)
    again = judge(outcome, STANDING, 0)
    assert (again.status, again.tries, again.delay) == (RowStatus.PENDING, 1, 5)
    last = judge(outcome, replace(STANDING, tries=2), 0)
    assert (last.status, last.reason) == (RowStatus.FAILED, TRIES_USED_UP)


def test_held_uses_no_try_however_often() -> None:
    verdict = judge(Outcome(AttemptOutcome.HELD), replace(STANDING, tries=2, attempts=50), 0)
    assert (verdict.status, verdict.tries, verdict.delay) == (RowStatus.PENDING, 0, 900)


def test_a_server_that_asks_to_come_again_is_asked_for_a_day_and_costs_no_try() -> None:
    refused = Outcome(AttemptOutcome.HELD, detail="4.7.1 greylisted", come_again=True)
    waits = []
    for earlier in range(REFUSALS - 1):
        again = judge(refused, replace(STANDING, max_lateness=inf, asked_to_come_again=earlier, attempts=99), 0)
        assert (again.status, again.tries) == (RowStatus.PENDING, 0)
        waits.append(again.delay or 0.0)
    assert waits[:7] == [60, 300, 900, 1_800, 3_600, 3_600, 3_600]
    assert 23 <= sum(waits) / 3_600 <= 24
    assert again.reason == "the mail server asks to come again: 4.7.1 greylisted"
    last = judge(refused, replace(STANDING, asked_to_come_again=REFUSALS - 1), 0)
    assert (last.status, last.reason) == (
        RowStatus.FAILED,
        "the mail server asked to come again for a day: 4.7.1 greylisted",
    )


def test_coming_again_keeps_within_the_lateness_that_the_step_allows() -> None:
    refused = Outcome(AttemptOutcome.HELD, come_again=True)
    verdict = judge(refused, replace(STANDING, lateness=3_000, max_lateness=3_600, asked_to_come_again=2), 0)
    assert (verdict.status, verdict.reason) == (RowStatus.SKIPPED, TOO_LATE)


def test_who_tries_for_a_channel_that_pauses_does_so_more_often() -> None:
    standing = replace(STANDING, attempts=50)
    assert judge(Outcome(AttemptOutcome.HELD, pauses=True), standing, 0).delay == 60
    asked = Outcome(AttemptOutcome.HELD, pauses=True, retry_after=300)
    assert judge(asked, standing, 0).delay == 300


@pytest.mark.parametrize("outcome", [AttemptOutcome.HELD, AttemptOutcome.DEFERRED])
def test_what_would_be_too_late_is_skipped(outcome: AttemptOutcome) -> None:
    verdict = judge(Outcome(outcome, retry_after=60), replace(STANDING, lateness=86_390), 0)
    assert (verdict.status, verdict.reason) == (RowStatus.SKIPPED, TOO_LATE)


@pytest.mark.parametrize("outcome", [AttemptOutcome.REFUSED, AttemptOutcome.DEFERRED, AttemptOutcome.HELD])
def test_nobody_says_that_it_was_not_sent_when_an_earlier_try_may_have_been_accepted(outcome: AttemptOutcome) -> None:
    standing = replace(STANDING, tries=2, lateness=86_400, in_doubt=True)
    verdict = judge(Outcome(outcome, detail="no"), standing, 0)
    assert verdict.status == RowStatus.REVIEW
    assert verdict.reason is not None and IN_DOUBT in verdict.reason


def test_an_unsubscribed_recipient_ends_the_enrollment_where_the_sequence_says_so() -> None:
    outcome = Outcome(AttemptOutcome.REFUSED, suppress="unsubscribed")
    assert judge(outcome, STANDING, 0).exit_reason == "unsubscribed"
    assert judge(outcome, replace(STANDING, exit_on=()), 0).exit_reason is None


def test_stop_on_failure_ends_the_enrollment() -> None:
    verdict = judge(Outcome(AttemptOutcome.REFUSED), replace(STANDING, stop_on_failure=True), 0)
    assert (verdict.status, verdict.exit_reason) == (RowStatus.FAILED, "failed")


@pytest.mark.parametrize("outcome", AttemptOutcome)
def test_every_outcome_leads_where_a_worker_may_move_a_row(outcome: AttemptOutcome) -> None:
    assert judge(Outcome(outcome), STANDING, 0.5).status in FROM_SENDING
