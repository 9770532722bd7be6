"""What must hold in the end, when whatever had happened is over: nothing was lost, and each row says why."""

from collections.abc import Iterator

from engine.outbox.dispatch import RESTORED
from engine.rules.ending import TOO_LATE
from producers.review import OUTCOME, Decision
from promises.promises import Promises
from promises.rows import Row
from schema.states import AttemptOutcome, EnrollmentStatus, RowStatus

#: How rows end that nobody looks after any more.
ENDS = (RowStatus.SENT, RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.CANCELLED, RowStatus.REVIEW)

REFUSALS = (AttemptOutcome.REFUSED, AttemptOutcome.DEFERRED)

SKIPPED = OUTCOME[Decision.SKIP][1]


def is_over(promises: Promises) -> bool:
    """Whether no row moves any more by itself."""
    return all(row.status in ENDS for row in promises.rows.values())


def nothing_is_lost(promises: Promises) -> None:
    """P6: every row was accepted, or ended for a reason that holds."""
    assert is_over(promises), f"not over: {promises.rows}"
    for row in promises.rows.values():
        accepted = [one for one in promises.provider.of_step(row.step) if one.attempt in promises.attempts]
        if accepted and row.status not in (RowStatus.SENT, RowStatus.REVIEW):
            assert row.step in promises.skipped or promises.resent[row.step], f"accepted, and yet: {row}"
        assert row.status == RowStatus.SENT or any(_reasons(row)), f"why? {row}"


def _reasons(row: Row) -> Iterator[bool]:
    reason = row.reason or ""
    outcomes = [one.outcome for one in row.attempts]
    match row.status:
        case RowStatus.FAILED:
            yield any(outcome in REFUSALS for outcome in outcomes)
        case RowStatus.CANCELLED:
            yield row.enrollment == EnrollmentStatus.CANCELLED
        case RowStatus.SKIPPED:
            yield reason.startswith("suppressed: ") or reason in (TOO_LATE, SKIPPED)
        case RowStatus.REVIEW:
            yield reason == RESTORED
            yield row.type == "email" and AttemptOutcome.UNANSWERED in outcomes
            yield "may be this one" in reason or reason.startswith("can't be looked up")


def all_reports_are_heard(promises: Promises) -> None:
    """When the delivery of every text has been reported, the row of each says that it was sent."""
    for one in promises.provider.texts():
        row = promises.rows.get(one.attempt[0])
        if row is not None and row.step == one.step and one.attempt in promises.attempts:
            assert row.status == RowStatus.SENT, f"accepted as {one.id}, and reported: {row}"
