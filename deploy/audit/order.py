"""What has to hold among the steps of one enrollment."""

from collections.abc import Iterator, Mapping, Sequence

from deploy.audit.book import Book, Row
from deploy.audit.checks import violation
from deploy.audit.match import Acceptance
from deploy.audit.verdict import Kind, Violation
from schema.states import BLOCKING, AttemptOutcome, EnrollmentStatus, RowStatus


def check_enrollment(
    book: Book, steps: Sequence[Row], of_row: Mapping[int, Sequence[Acceptance]]
) -> Iterator[Violation]:
    """No step overtakes one before it, and the enrollment ends with its last step."""
    for number, row in enumerate(steps):
        accepted = of_row.get(row.id)
        if accepted and (says := _overtaken(book, steps[:number], accepted[0], of_row)):
            yield violation(Kind.OUT_OF_ORDER, row, says, accepted[0])
    enrollment = book.enrollments.get(steps[0].enrollment_id)
    active = enrollment is not None and enrollment.status == EnrollmentStatus.ACTIVE
    next_step = next((row for row in steps if row.status in BLOCKING), None)
    if active and next_step is None:
        yield violation(Kind.WRONG, steps[-1], "every step has ended, but the enrollment is still active")
    if active and next_step is not None and next_step.status == RowStatus.WAITING:
        yield violation(Kind.LOST, next_step, "still waiting, though everything before it has ended")


def _overtaken(
    book: Book, before: Sequence[Row], acceptance: Acceptance, of_row: Mapping[int, Sequence[Acceptance]]
) -> str | None:
    """What was accepted before a step before it had ended; None: nothing."""
    enrollment = book.enrollments.get(before[0].enrollment_id) if before else None
    if enrollment and enrollment.migrated_at is not None and enrollment.migrated_at > acceptance.attempt.started_at:
        return None  # it went out in the order of another version
    for step in before:
        if step.reopened_at is not None and step.reopened_at > acceptance.attempt.started_at:
            continue
        if any(
            earlier.place > acceptance.place and not _given_up(step, earlier, acceptance)
            for earlier in of_row.get(step.id, [])[:1]
        ):
            return f"accepted before step {step.step_key}"
        if step.status in BLOCKING:
            return f"accepted, although step {step.step_key} is {step.status}"
        for attempt in book.attempts_of.get(step.id, []):
            if attempt.ended_at is None or attempt.ended_at > acceptance.attempt.started_at:
                return f"handed over before step {step.step_key} had ended"
    return None


def _given_up(step: Row, earlier: Acceptance, acceptance: Acceptance) -> bool:
    """Whether a provider accepted a step that was in review by then, and so kept nothing waiting."""
    ended_at = earlier.attempt.ended_at
    in_doubt = step.status == RowStatus.REVIEW and earlier.attempt.outcome == AttemptOutcome.UNANSWERED
    return in_doubt and ended_at is not None and ended_at <= acceptance.attempt.started_at
