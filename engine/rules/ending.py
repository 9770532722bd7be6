"""What becomes of a row when an attempt has ended."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from engine.rules.backoff import wait
from engine.rules.greylisting import COME_AGAIN, FOR_A_DAY, REFUSALS, greylist_wait
from engine.rules.outcome import Outcome
from schema.states import AttemptOutcome, RowStatus

TOO_LATE = "too_late"
TRIES_USED_UP = "tries_used_up"
IN_DOUBT = "an earlier try may have been accepted"

#: While a channel pauses one row tries for all, so it does so more often: a minute, where the first back-off is 5 s.
LONGEST_PAUSE: Final = 12.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules need to know of a row. Times are real seconds."""

    tries: int
    """Answers "not now" so far."""
    attempts: int
    """Attempts so far, this one among them."""
    max_tries: int
    lateness: float
    max_lateness: float
    exit_on: Collection[str]
    stop_on_failure: bool
    retry_base: float
    asked_to_come_again: int = 0
    """Earlier attempts after which the mail server asked to come again."""
    in_doubt: bool = False
    """An earlier attempt may have been accepted: an email that is sent once more (promise P3)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status that a row goes to, and why."""

    status: RowStatus
    reason: str | None = None
    tries: int = 0
    delay: float | None = None
    exit_reason: str | None = None


SENT: Final = Verdict(RowStatus.SENT)


def judge(outcome: Outcome, standing: Standing, share: float) -> Verdict:
    """Tell what becomes of the row; `share` is a random number from 0 to 1 for the back-off.

    That it was not sent can't be said of a row of which an earlier attempt may have been accepted.
    """
    verdict = _judge(outcome, standing, share)
    if standing.in_doubt and verdict.status in (RowStatus.FAILED, RowStatus.SKIPPED):
        return replace(verdict, status=RowStatus.REVIEW, reason=f"{verdict.reason}; {IN_DOUBT}")
    return verdict


def _judge(outcome: Outcome, standing: Standing, share: float) -> Verdict:
    match outcome.outcome:
        case AttemptOutcome.ACCEPTED:
            return SENT
        case AttemptOutcome.UNANSWERED:
            return Verdict(RowStatus.UNKNOWN, outcome.detail or "the provider did not answer")
        case AttemptOutcome.REFUSED:
            return _failed(outcome.detail, outcome, standing)
        case AttemptOutcome.DEFERRED:
            if standing.tries + 1 >= standing.max_tries:
                return _failed(TRIES_USED_UP, outcome, standing, tries=1)
            return _again(outcome, standing, share, standing.tries + 1, tries=1)
        case AttemptOutcome.HELD if outcome.come_again:
            return _come_again(outcome, standing, share)
        case AttemptOutcome.HELD:
            return _again(outcome, standing, share, standing.attempts, tries=0)


def _failed(reason: str, outcome: Outcome, standing: Standing, tries: int = 0) -> Verdict:
    leaves = None
    if outcome.suppress in standing.exit_on:
        leaves = outcome.suppress
    elif standing.stop_on_failure:
        leaves = "failed"
    return Verdict(RowStatus.FAILED, reason, tries=tries, exit_reason=leaves)


def _again(outcome: Outcome, standing: Standing, share: float, times: int, tries: int) -> Verdict:
    delay = wait(times, standing.retry_base, share, retry_after=outcome.retry_after)
    if outcome.pauses and outcome.retry_after is None:
        delay = min(delay, LONGEST_PAUSE * standing.retry_base)
    return _later(outcome.detail, delay, standing, tries)


def _come_again(outcome: Outcome, standing: Standing, share: float) -> Verdict:
    """No try is used; after a day of refusals the message fails."""
    refusals = standing.asked_to_come_again + 1
    if refusals >= REFUSALS:
        return _failed(f"{FOR_A_DAY}: {outcome.detail}", outcome, standing)
    delay = greylist_wait(refusals, standing.retry_base, share)
    return _later(f"{COME_AGAIN}: {outcome.detail}", delay, standing, tries=0)


def _later(reason: str, delay: float, standing: Standing, tries: int) -> Verdict:
    if standing.lateness + delay > standing.max_lateness:
        return Verdict(RowStatus.SKIPPED, TOO_LATE, tries=tries)
    return Verdict(RowStatus.PENDING, reason, tries=tries, delay=delay)
