"""What has to hold of each row, given what was accepted of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from deploy.audit.book import Attempt, Book, Enrollment, Row
from deploy.audit.content import difference
from deploy.audit.match import Acceptance
from deploy.audit.verdict import Kind, Violation
from engine.rules.skip_reasons import PATTERNS, SkipKind, skip_kind
from producers.review import OUTCOME, Decision
from producers.suppressions import UNDELIVERABLE
from schema.states import THEIR_OWN, AttemptOutcome, EnrollmentStatus, RowStatus

#: Real seconds by which two readings of one moment may differ: what a double keeps of microseconds.
ROUNDING: Final = 1e-6

#: Rows that stay as they are until a person or a provider says something.
HELD: Final = (RowStatus.UNKNOWN, RowStatus.OPEN, RowStatus.WAITING)

#: How an operator's decisions are written down.
SAID_TO_BE_SENT: Final = OUTCOME[Decision.SENT][1]

#: Before the reason of the suppression. One that is their own they may have taken back since.
SUPPRESSED: Final = "suppressed: "

#: Reasons of suppressions that go away by themselves: the recipient takes them back, or a message reaches the number.
LIFTED: Final = (*THEIR_OWN, UNDELIVERABLE)

REFUSALS: Final = (AttemptOutcome.REFUSED, AttemptOutcome.DEFERRED)


def violation(kind: Kind, row: Row, says: str, acceptance: Acceptance | None = None) -> Violation:
    """Something that is wrong with a row."""
    accepted_as = None if acceptance is None else acceptance.entry.id
    return Violation(kind, says, row.id, row.enrollment_id, row.step_key, accepted_as)


def check_not_accepted(book: Book, row: Row, before: Sequence[Row], steps: Sequence[Row] = ()) -> Iterator[Violation]:
    """A message that no provider accepted: it must have ended for a reason that holds, or still have time.

    `steps`: all of the enrollment.
    """
    enrollment = book.enrollments.get(row.enrollment_id)
    match RowStatus(row.status):
        case RowStatus.SENT:
            yield violation(Kind.WRONG, row, "the row is sent, but no provider accepted it")
        case RowStatus.SENDING:
            yield violation(Kind.LOST, row, "still being sent, and not accepted")
        case RowStatus.UNKNOWN:
            yield violation(Kind.LOST, row, "handed over without an answer, and not accepted")
        case RowStatus.PENDING:
            yield from _check_pending(book, row, enrollment, before)
        case RowStatus.FAILED if not _failed_for_a_reason(book, row):
            yield violation(Kind.LOST, row, "failed, though no attempt was refused")
        case RowStatus.SKIPPED if not _skipped_for_a_reason(book, row, enrollment, _gates(enrollment, before, steps)):
            yield violation(Kind.LOST, row, "skipped for a reason that does not hold")
        case RowStatus.CANCELLED if enrollment is None or enrollment.status != EnrollmentStatus.CANCELLED:
            yield violation(Kind.LOST, row, "cancelled, though its enrollment is not")
        case _:
            pass


def check_accepted(book: Book, row: Row, accepted: Sequence[Acceptance]) -> Iterator[Violation]:
    """A message that was accepted: once, when due, for whom and as it was handed over, and the row says so."""
    first = accepted[0]
    if len(accepted) > 1:
        yield violation(Kind.DUPLICATED, row, f"accepted {len(accepted)} times", accepted[-1])
    match RowStatus(row.status):
        case RowStatus.SENT if row.reason == SAID_TO_BE_SENT and row.provider_id is None:
            pass
        case RowStatus.SENT if row.provider_id not in {acceptance.entry.id for acceptance in accepted}:
            yield violation(Kind.WRONG, row, "accepted under another id than the row says", first)
        case RowStatus.SENT | RowStatus.REVIEW:
            pass
        case RowStatus.UNKNOWN:
            yield violation(Kind.IN_DOUBT, row, "accepted, and the row does not know it yet", first)
        case status:
            yield violation(Kind.WRONG, row, f"accepted, but the row is {status}", first)
    for acceptance in accepted:
        yield from _check_acceptance(book, row, acceptance)


def check_notified(book: Book, row: Row, accepted: Sequence[Acceptance]) -> Iterator[Violation]:
    """A notification that was accepted: once, when due, as it was handed over, and the row does not deny it."""
    first = accepted[0]
    if len(accepted) > 1:
        yield violation(Kind.DUPLICATED, row, f"accepted {len(accepted)} times", accepted[-1])
    if row.status in (RowStatus.FAILED, RowStatus.SKIPPED, RowStatus.WAITING, RowStatus.PENDING):
        yield violation(Kind.WRONG, row, f"accepted, but the row is {row.status}", first)
    enrollment = book.enrollments.get(row.enrollment_id)
    for acceptance in accepted:
        if (says := difference(acceptance.entry, replace(acceptance.attempt, channel="email"))) is not None:
            yield violation(Kind.WRONG, row, says, acceptance)
        if enrollment is not None:
            yield from _check_due(book, row, enrollment, acceptance)


def check_gate(book: Book, row: Row, before: Sequence[Row], steps: Sequence[Row] = ()) -> Iterator[Violation]:
    """A step that is no message: it must have ended for a reason that holds, or still have time.

    `steps`: all of the enrollment.
    """
    enrollment = book.enrollments.get(row.enrollment_id)
    match RowStatus(row.status):
        case RowStatus.PENDING:
            yield from _check_pending(book, row, enrollment, before)
        case RowStatus.SKIPPED if skip_kind(row.reason) is None or (
            skip_kind(row.reason) is SkipKind.BRANCH and not _branch_not_taken(row, _gates(enrollment, before, steps))
        ):
            yield violation(Kind.LOST, row, "skipped for a reason that does not hold")
        case RowStatus.CANCELLED if enrollment is None or enrollment.status != EnrollmentStatus.CANCELLED:
            yield violation(Kind.LOST, row, "cancelled, though its enrollment is not")
        case _:
            pass


def check_row(book: Book, row: Row) -> Iterator[Violation]:
    """What holds of every row, whatever it is and however it ended: nothing of another workspace meets it."""
    enrollment = book.enrollments.get(row.enrollment_id)
    if enrollment is None or enrollment.contact is None:
        yield violation(Kind.WRONG, row, "it has no enrollment, or that has no contact")
        return
    attempts = book.attempts_of.get(row.id, [])
    theirs = {enrollment.workspace_id, enrollment.contact.workspace_id, *(a.workspace_id for a in attempts)}
    if theirs != {row.workspace_id}:
        yield violation(Kind.WRONG, row, "its enrollment, contact or attempts are of another workspace")


def _check_pending(book: Book, row: Row, enrollment: Enrollment | None, before: Sequence[Row]) -> Iterator[Violation]:
    if enrollment is not None and enrollment.status == EnrollmentStatus.CANCELLED:
        yield violation(Kind.WRONG, row, "pending, though its enrollment was cancelled")
    elif enrollment is not None and enrollment.status == EnrollmentStatus.COMPLETED:
        yield violation(Kind.LOST, row, "pending, though its enrollment is completed: it will never go out")
    elif (enrollment is not None and enrollment.status == EnrollmentStatus.PAUSED) or _waits_for_operator(row, before):
        return
    elif row.due_at is not None and row.due_at <= book.now and not any(other.status in HELD for other in before):
        yield violation(Kind.LOST, row, "due, and still pending")


def _waits_for_operator(row: Row, before: Sequence[Row]) -> bool:
    """Return whether the row, or one before it, waits for an operator's decision about a message of the contact."""
    return row.on_hold or any(other.on_hold for other in before)


def _failed_for_a_reason(book: Book, row: Row) -> bool:
    """A provider refused it, or there was nothing to hand over and the row says why."""
    attempts = book.attempts_of.get(row.id)
    if attempts:
        return any(attempt.outcome in REFUSALS for attempt in attempts)
    return bool(row.reason)


def _skipped_for_a_reason(book: Book, row: Row, enrollment: Enrollment | None, before: Sequence[Row]) -> bool:
    kind = skip_kind(row.reason)
    if kind is SkipKind.BRANCH:
        return _branch_not_taken(row, before)
    if enrollment is None or enrollment.contact is None or kind is None:
        return False
    contact = enrollment.contact
    address = contact.phone if row.type == "sms" else contact.email
    match kind:
        case SkipKind.VERSION:
            return enrollment.migrated_at is not None
        case SkipKind.DELETED:
            return enrollment.modified_at is not None
        case SkipKind.SUPPRESSED:
            lifted = (row.reason or "").removeprefix(SUPPRESSED) in LIFTED
            erased = address is None and contact.updated_at > enrollment.created_at
            return lifted or erased or (address is not None and _suppressed_at(book, row, address) is not None)
        case SkipKind.NO_ADDRESS:
            return address is None or contact.updated_at > enrollment.created_at
        case _:
            return True


def _gates(enrollment: Enrollment | None, before: Sequence[Row], steps: Sequence[Row]) -> Sequence[Row]:
    """Where the gate of a branch is: before it, unless the version in which it was decided had another order."""
    return before if enrollment is None or enrollment.migrated_at is None else steps or before


def _branch_not_taken(row: Row, before: Sequence[Row]) -> bool:
    """Whether a gate before came to something else."""
    branch = PATTERNS[SkipKind.BRANCH].fullmatch(row.reason or "")
    if branch is None:
        return False
    gates = [row for row in before if row.step_key == branch["gate"]]
    if branch["status"] is not None:
        return any(row.status == branch["status"] for row in gates)
    return any(row.status == RowStatus.DONE and row.outcome == branch["outcome"] != branch["branch"] for row in gates)


def _check_acceptance(book: Book, row: Row, acceptance: Acceptance) -> Iterator[Violation]:
    attempt, entry = acceptance.attempt, acceptance.entry
    if (says := difference(entry, attempt)) is not None:
        yield violation(Kind.WRONG, row, says, acceptance)
    enrollment = book.enrollments.get(row.enrollment_id)
    if enrollment is None or enrollment.contact is None:
        return
    contact = enrollment.contact
    address = contact.phone if row.type == "sms" else contact.email
    if attempt.recipient != address and contact.updated_at < attempt.started_at:
        yield violation(Kind.WRONG, row, "accepted for somebody who is not the contact", acceptance)
    yield from _check_time(book, row, enrollment, acceptance)


def _check_time(book: Book, row: Row, enrollment: Enrollment, acceptance: Acceptance) -> Iterator[Violation]:
    """Handed over while that was allowed; by the database's own clock, which no worker sets."""
    attempt = acceptance.attempt
    yield from _check_due(book, row, enrollment, acceptance)
    suppressed_at = _suppressed_at(book, row, attempt.recipient)
    if suppressed_at is not None and suppressed_at < attempt.started_at:
        yield violation(Kind.BARRED, row, "handed over after its recipient was suppressed", acceptance)
    if _ended_before(book, enrollment, attempt):
        yield violation(Kind.BARRED, row, "handed over after its enrollment had ended", acceptance)


def _check_due(book: Book, row: Row, enrollment: Enrollment, acceptance: Acceptance) -> Iterator[Violation]:
    reached = book.clock.highest(enrollment.created_at, acceptance.attempt.started_at + ROUNDING)
    if row.due_at is None or reached < row.due_at:
        yield violation(Kind.EARLY, row, "handed over before it was due", acceptance)


def _suppressed_at(book: Book, row: Row, address: str) -> float | None:
    return book.suppressed_at.get((row.workspace_id, row.type, address if row.type == "sms" else address.casefold()))


def _ended_before(book: Book, enrollment: Enrollment, attempt: Attempt) -> bool:
    """Whether the enrollment ended before the hand-over began; not told of a clock that went back since."""
    if enrollment.ended_at is None or book.clock.went_back_since(attempt.started_at):
        return False
    return book.clock.shown_at(attempt.started_at) > enrollment.ended_at
