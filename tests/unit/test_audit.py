"""The judge finds every kind of violation; a clean book stays clean."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from deploy.audit import Kind, judge
from deploy.audit.book import Attempt, Book, Contact, Enrollment, Row
from deploy.audit.clock_history import ClockHistory
from deploy.audit.verdict import EXAMPLES, Audit
from deploy.sandbox.ledger import Entry
from engine.clock import Segment
from schema.states import RowStatus

T = 1_800_000_000.0
DAY = 86_400.0
PHONE, EMAIL = "+12025550101", "ada@example.com"
REAL_TIME = ClockHistory([Segment(0, 0, 1)])


def email(row: int, at: float, **changes: Any) -> Entry:
    subject = changes.pop("subject", "Hi")
    text = changes.pop("text", "Hello")
    raw = f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    entry = Entry(at=at, channel="email", event="accepted", id=f"<{row}@x>", to=EMAIL, subject=subject, raw=raw)
    return replace(entry, **changes)


def sms(row: int, at: float, **changes: Any) -> Entry:
    entry = Entry(at=at, channel="sms", event="accepted", id=f"SM{row}", to=PHONE, body=f"Text {row}")
    return replace(entry, **changes)


@dataclass
class Case:
    """A book and a ledger, to be spoilt."""

    rows: list[Row] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    enrollments: dict[int, Enrollment] = field(default_factory=dict)
    suppressed_at: dict[tuple[int, str, str], float] = field(default_factory=dict)
    ledger: list[Entry] = field(default_factory=list)
    clock: ClockHistory = REAL_TIME
    now: float = T + 100 * DAY

    def set(self, row: int, **changes: Any) -> None:
        place = next(i for i, one in enumerate(self.rows) if one.id == row)
        self.rows[place] = replace(self.rows[place], **changes)

    def set_attempt(self, row: int, **changes: Any) -> None:
        place = next(i for i, one in enumerate(self.attempts) if one.row_id == row)
        self.attempts[place] = replace(self.attempts[place], **changes)

    def set_entry(self, row: int, **changes: Any) -> None:
        place = next(i for i, one in enumerate(self.ledger) if one.id in (f"SM{row}", f"<{row}@x>"))
        self.ledger[place] = replace(self.ledger[place], **changes)

    def set_enrollment(self, **changes: Any) -> None:
        self.enrollments[1] = replace(self.enrollments[1], **changes)

    def drop(self, row: int, *, attempts: bool = False) -> None:
        """Nothing was accepted of this row; with `attempts` nothing was handed over either."""
        self.ledger = [entry for entry in self.ledger if entry.id not in (f"SM{row}", f"<{row}@x>")]
        if attempts:
            self.attempts = [attempt for attempt in self.attempts if attempt.row_id != row]

    def judged(self) -> Audit:
        book = Book(self.rows, self.enrollments, self.attempts, self.suppressed_at, self.clock, self.now)
        return judge(book, sorted(self.ledger, key=lambda entry: entry.at))


@pytest.fixture
def case() -> Case:
    """One enrollment: an email at once, a text after one day and another after two; all sent within a second."""
    case = Case()
    case.enrollments[1] = Enrollment(1, 1, "completed", T, T + 2 * DAY + 2, Contact(1, EMAIL, PHONE, T - 1))
    for order, channel in ((1, "email"), (2, "sms"), (3, "sms")):
        due = T + (order - 1) * DAY
        entry = (email if channel == "email" else sms)(order, due + 0.5)
        payload: dict[str, Any] = (
            {"message_id": entry.id, "subject": "Hi", "text": "Hello", "html": None}
            if channel == "email"
            else {"body": entry.body, "media_urls": []}
        )
        case.rows.append(Row(order, 1, 1, order, f"step-{order}", channel, "sent", None, due, entry.id))
        case.attempts.append(
            Attempt(order, 1, 1, channel, entry.to or "", payload, due + 0.4, due + 0.6, "accepted", entry.id)
        )
        case.ledger.append(entry)
    return case


def kinds(audit: Audit) -> dict[Kind, int]:
    return dict(audit.counts)


def test_a_clean_case_is_clean(case: Case) -> None:
    found = case.judged()
    assert found.clean, found.examples
    assert (found.rows, found.acceptances, found.accepted_once) == (3, 3, 3)
    assert found.to_json()["violations"]["out_of_order"] == {"count": 0, "examples": []}


def not_accepted(status: RowStatus, outcome: str | None = None) -> Callable[[Case], None]:
    def spoil(case: Case) -> None:
        case.drop(3)
        case.set(3, status=status.value, provider_id=None)
        case.set_attempt(3, outcome=outcome, provider_id=None, ended_at=None if outcome is None else T + 3 * DAY)
        case.set_enrollment(status="active", ended_at=None)

    return spoil


def never_begun(status: RowStatus, reason: str | None) -> Callable[[Case], None]:
    def spoil(case: Case) -> None:
        case.drop(3, attempts=True)
        case.set(3, status=status.value, provider_id=None, reason=reason)

    return spoil


def test_rows_that_never_went_out_are_lost(case: Case) -> None:
    not_accepted(RowStatus.PENDING, "deferred")(case)
    assert kinds(case.judged()) == {Kind.LOST: 1}
    case.now = T + DAY
    assert case.judged().clean, "it is not due yet"
    case.now = T + 100 * DAY
    case.set_enrollment(status="paused")
    assert case.judged().clean, "it waits for whoever paused it"
    case.set_enrollment(status="active")
    case.drop(2)
    case.set(2, status="unknown", provider_id=None)
    case.set_attempt(2, outcome="unanswered", provider_id=None)
    found = case.judged()
    assert kinds(found) == {Kind.LOST: 1}
    assert found.examples[Kind.LOST][0].row == 2, "what waits behind a row in doubt is not lost"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (not_accepted(RowStatus.SENDING), "still being sent"),
        (not_accepted(RowStatus.UNKNOWN, "unanswered"), "without an answer"),
    ],
)
def test_rows_on_their_way_are_lost(case: Case, spoil: Callable[[Case], None], says: str) -> None:
    spoil(case)
    found = case.judged()
    assert kinds(found) == {Kind.LOST: 1}
    assert says in str(found.examples[Kind.LOST][0])


@pytest.mark.parametrize(
    ("status", "reason", "wrong"),
    [
        (RowStatus.FAILED, None, {Kind.LOST: 1}),
        (RowStatus.FAILED, "sms_empty: the SMS is empty", {}),
        (RowStatus.SKIPPED, "because", {Kind.LOST: 1}),
        (RowStatus.SKIPPED, "suppressed: bounced", {Kind.LOST: 1}),
        (RowStatus.SKIPPED, "suppressed: unsubscribed", {}),
        (RowStatus.SKIPPED, "skipped by an operator", {}),
        (RowStatus.SKIPPED, "the contact has no phone", {Kind.LOST: 1}),
        (RowStatus.SKIPPED, "too_late", {}),
        (RowStatus.CANCELLED, "unsubscribed", {Kind.LOST: 1}),
        (RowStatus.PENDING, None, {Kind.LOST: 1}),
        (RowStatus.REVIEW, "no lookup", {}),
    ],
)
def test_an_end_without_a_message_needs_a_reason_that_holds(
    case: Case, status: RowStatus, reason: str | None, wrong: dict[Kind, int]
) -> None:
    never_begun(status, reason)(case)
    assert kinds(case.judged()) == wrong


def test_ends_that_hold_are_clean(case: Case) -> None:
    not_accepted(RowStatus.FAILED, "refused")(case)
    case.set_enrollment(status="completed", ended_at=T + 3 * DAY)
    assert case.judged().clean
    never_begun(RowStatus.SKIPPED, "suppressed: bounced")(case)
    case.suppressed_at[1, "sms", PHONE] = T + 2 * DAY
    assert case.judged().clean
    case.set(3, status="cancelled", reason="unsubscribed")
    case.set_enrollment(status="cancelled", ended_at=T + 2 * DAY)
    assert case.judged().clean
    case.set(3, status="pending", reason=None)
    assert kinds(case.judged()) == {Kind.WRONG: 1}


def test_failed_after_attempts_that_nobody_refused_is_lost(case: Case) -> None:
    not_accepted(RowStatus.FAILED, "held")(case)
    case.set_enrollment(status="completed", ended_at=T + 3 * DAY)
    assert kinds(case.judged()) == {Kind.LOST: 1}


def test_the_same_message_id_twice_is_a_duplicate(case: Case) -> None:
    case.ledger.append(email(1, T + 7))
    found = case.judged()
    assert kinds(found) == {Kind.DUPLICATED: 1}
    assert (found.accepted_once, found.acceptances) == (2, 4)


def test_a_text_message_under_two_sids_is_a_duplicate(case: Case) -> None:
    case.ledger.append(sms(3, T + 2 * DAY + 3, id="SMother"))
    assert kinds(case.judged()) == {Kind.DUPLICATED: 1}


def test_a_text_message_that_two_attempts_got_accepted_is_a_duplicate(case: Case) -> None:
    case.ledger.append(sms(3, T + 2 * DAY + 9, id="SMother"))
    case.attempts.append(replace(case.attempts[-1], fence=3, provider_id="SMother", started_at=T + 2 * DAY + 8))
    case.set_enrollment(ended_at=T + 2 * DAY + 10)
    assert kinds(case.judged()) == {Kind.DUPLICATED: 1}


def test_the_same_sid_twice_is_a_duplicate(case: Case) -> None:
    case.ledger.append(sms(3, T + 2 * DAY + 3))
    assert kinds(case.judged()) == {Kind.DUPLICATED: 1}


def test_a_text_message_sent_again_after_no_answer_is_a_duplicate(case: Case) -> None:
    """Both acceptances are found, though nobody was told the first one's SID."""
    case.set_attempt(3, outcome="unanswered", provider_id=None)
    case.attempts.append(
        replace(case.attempts[-1], fence=3, outcome="accepted", provider_id="SMlater", started_at=T + 2 * DAY + 8)
    )
    case.ledger.append(sms(3, T + 2 * DAY + 9, id="SMlater"))
    case.set(3, provider_id="SMlater")
    case.set_enrollment(ended_at=T + 2 * DAY + 10)
    assert kinds(case.judged()) == {Kind.DUPLICATED: 1}


def test_two_rows_with_the_same_text_keep_their_own_acceptances(case: Case) -> None:
    case.enrollments[2] = replace(case.enrollments[1], id=2)
    case.rows.append(replace(case.rows[2], id=4, enrollment_id=2, step_order=1, provider_id=None, status="unknown"))
    case.attempts.append(replace(case.attempts[2], row_id=4, outcome="unanswered", provider_id=None))
    case.ledger.append(sms(3, T + 2 * DAY + 0.55, id="SMunheard"))
    case.enrollments[2] = replace(case.enrollments[2], status="active", ended_at=None)
    assert kinds(case.judged()) == {Kind.IN_DOUBT: 1}


@pytest.mark.parametrize(
    "entry",
    [
        email(99, T + 1),
        email(1, T + 1, id=None),
        sms(99, T + 1, body="Nobody wrote this"),
        sms(3, T + 1, id="SMother", to="+12025550199"),
        sms(3, T + 1, id="SMother", media=("https://example.com/a.jpg",)),
    ],
)
def test_what_no_row_explains_is_invented(case: Case, entry: Entry) -> None:
    case.ledger.append(entry)
    assert kinds(case.judged()) == {Kind.INVENTED: 1}


def test_a_message_without_an_attempt_is_invented_and_the_row_wrong(case: Case) -> None:
    case.attempts.pop()
    assert kinds(case.judged()) == {Kind.INVENTED: 1, Kind.WRONG: 1}


def test_a_hand_over_before_the_row_was_due_is_early(case: Case) -> None:
    case.set_attempt(3, started_at=T + 2 * DAY - 0.001)
    assert kinds(case.judged()) == {Kind.EARLY: 1}


def test_early_is_told_by_the_sequence_clock(case: Case) -> None:
    """A day a second from T on; the last step is due in the second second."""
    case.clock = ClockHistory([Segment(0, 0, 1), Segment(T, T, DAY)])
    for row, real in ((1, T + 0.01), (2, T + 1.01), (3, T + 2.01)):
        case.set_attempt(row, started_at=real, ended_at=real + 0.02)
        case.set_entry(row, at=real + 0.01)
    case.set_enrollment(ended_at=T + 2.04 * DAY)
    assert case.judged().clean
    case.clock = ClockHistory([*case.clock.segments, Segment(T + 60, T + 60, 1)])
    assert case.judged().clean, "the clock was set back since"
    case.set_attempt(3, started_at=T + 1.99)
    assert kinds(case.judged()) == {Kind.EARLY: 1}


def test_what_the_clock_showed_before_the_enrollment_was_made_does_not_count(case: Case) -> None:
    case.clock = ClockHistory([Segment(0, 0, 1), Segment(T - 50, T, 10 * DAY), Segment(T - 10, T - 10, 1)])
    assert case.judged().clean
    case.set_attempt(3, started_at=T + 2 * DAY - 5)
    assert kinds(case.judged()) == {Kind.EARLY: 1}


def test_a_suppressed_recipient_is_barred(case: Case) -> None:
    case.suppressed_at[1, "sms", PHONE] = T + 2 * DAY + 0.5
    assert case.judged().clean, "the hand-over had begun"
    case.suppressed_at[2, "sms", PHONE] = T
    case.suppressed_at[1, "email", EMAIL] = T + 2 * DAY
    assert case.judged().clean, "another workspace, and another channel"
    case.suppressed_at[1, "sms", PHONE] = T + 1.5 * DAY
    assert kinds(case.judged()) == {Kind.BARRED: 1}


def test_an_ended_enrollment_is_barred(case: Case) -> None:
    case.set_enrollment(status="cancelled", ended_at=T + 1.5 * DAY)
    assert kinds(case.judged()) == {Kind.BARRED: 1}


def test_the_provider_was_faster_than_the_step_before(case: Case) -> None:
    case.set_entry(2, at=T + 2 * DAY + 0.55)
    case.set_attempt(2, started_at=T + DAY, ended_at=T + 2 * DAY + 0.3)
    assert kinds(case.judged()) == {Kind.OUT_OF_ORDER: 1}


@pytest.mark.parametrize("status", ["pending", "sending", "unknown", "open", "waiting"])
def test_a_step_overtook_one_that_has_not_ended(case: Case, status: str) -> None:
    case.drop(1, attempts=True)
    case.set(1, status=status, provider_id=None)
    found = case.judged()
    assert found.counts[Kind.OUT_OF_ORDER] == 2


@pytest.mark.parametrize(("ended", "violations"), [(T + 0.6, 0), (T + 2 * DAY, 1)])
def test_a_step_in_review_keeps_no_other_waiting_though_its_provider_accepts_it_late(
    case: Case, ended: float, violations: int
) -> None:
    """A mail server that was slower than the time-out; had it not been given up, the next step would have overtaken."""
    case.set(1, status=RowStatus.REVIEW.value, provider_id=None)
    case.set_attempt(1, outcome="unanswered", provider_id=None, ended_at=ended)
    case.set_entry(1, at=T + DAY + 0.7)
    assert case.judged().counts[Kind.OUT_OF_ORDER] == violations


def test_a_step_was_handed_over_before_the_one_before_it_had_failed(case: Case) -> None:
    case.drop(2)
    case.set(2, status="failed", provider_id=None)
    case.set_attempt(2, outcome="refused", provider_id=None)
    assert case.judged().clean
    case.set_attempt(2, ended_at=T + 2 * DAY + 0.45)
    assert kinds(case.judged()) == {Kind.OUT_OF_ORDER: 1}


def test_sent_but_never_accepted_is_wrong(case: Case) -> None:
    case.drop(3)
    assert kinds(case.judged()) == {Kind.WRONG: 1}


def test_sent_under_another_id_is_wrong(case: Case) -> None:
    case.set(3, provider_id="SMelse")
    assert kinds(case.judged()) == {Kind.WRONG: 1}


def test_an_operator_knew_that_it_was_sent(case: Case) -> None:
    case.set(3, provider_id=None, reason="an operator says that it was sent")
    assert case.judged().clean
    case.drop(3)
    assert kinds(case.judged()) == {Kind.WRONG: 1}, "the operator was mistaken"


@pytest.mark.parametrize("status", ["pending", "sending", "failed", "skipped", "cancelled"])
def test_accepted_but_not_sent_is_wrong(case: Case, status: str) -> None:
    case.set(3, status=status, provider_id=None)
    assert kinds(case.judged()) == {Kind.WRONG: 1}


def test_accepted_without_an_answer_is_in_doubt_until_somebody_knows(case: Case) -> None:
    case.set(3, status="unknown", provider_id=None)
    case.set_attempt(3, outcome="unanswered", provider_id=None)
    case.set_enrollment(status="active", ended_at=None)
    assert kinds(case.judged()) == {Kind.IN_DOUBT: 1}
    case.set(3, status="review")
    case.set_enrollment(status="completed", ended_at=T + 3 * DAY)
    assert case.judged().clean, "an operator decides"


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        (3, {"body": "Another text"}),
        (3, {"to": "+12025550199"}),
        (3, {"media": ("https://example.com/a.jpg",)}),
        (1, {"to": "eve@example.com"}),
        (1, {"subject": "Another"}),
        (1, {"raw": "Content-Type: text/plain; charset=utf-8\r\n\r\nAnother\r\n"}),
        (1, {"raw": "Content-Type: text/html; charset=utf-8\r\n\r\nHello\r\n"}),
    ],
)
def test_another_recipient_or_content_is_wrong(case: Case, row: int, changes: dict[str, Any]) -> None:
    case.set_entry(row, **changes)
    assert kinds(case.judged()) == {Kind.WRONG: 1}


def test_somebody_who_is_not_the_contact_is_wrong(case: Case) -> None:
    case.set_enrollment(contact=Contact(1, EMAIL, "+12025550199", T - 1))
    assert kinds(case.judged()) == {Kind.WRONG: 2}
    case.set_enrollment(contact=Contact(1, EMAIL, "+12025550199", T + 50 * DAY))
    assert case.judged().clean, "the contact has a new phone since"


def test_workspaces_do_not_mix(case: Case) -> None:
    case.set_enrollment(workspace_id=2)
    assert kinds(case.judged()) == {Kind.WRONG: 3}


def test_an_enrollment_whose_steps_have_ended_does_not_stay_active(case: Case) -> None:
    case.set_enrollment(status="active", ended_at=None)
    assert kinds(case.judged()) == {Kind.WRONG: 1}


def test_a_row_without_an_enrollment_is_wrong(case: Case) -> None:
    case.enrollments.clear()
    assert kinds(case.judged())[Kind.WRONG] == 3


def test_all_are_counted_and_some_are_shown(case: Case) -> None:
    case.ledger += [email(1000 + number, T) for number in range(EXAMPLES + 5)]
    found = case.judged()
    assert found.counts[Kind.INVENTED] == EXAMPLES + 5
    assert len(found.examples[Kind.INVENTED]) == EXAMPLES
    assert found.to_json()["clean"] is False


def test_what_is_shown_has_no_address_and_no_text(case: Case) -> None:
    case.ledger.append(sms(3, T + 1, id="SMother", to="+12025550199"))
    case.set_entry(1, raw="Content-Type: text/plain\r\n\r\nsecret\r\n")
    case.drop(2)
    said = str(case.judged().to_json())
    assert "+1202" not in said and EMAIL not in said and "secret" not in said and "Text" not in said


def gate(case: Case, status: RowStatus, **changes: Any) -> None:
    """The second step is a gate, before which nothing was accepted of the third."""
    case.drop(2, attempts=True)
    case.set(2, type="condition", status=status, provider_id=None, **changes)


def test_a_step_on_a_branch_that_is_not_taken_may_be_skipped(case: Case) -> None:
    gate(case, RowStatus.DONE, outcome="else")
    case.drop(3, attempts=True)
    case.set(3, status="skipped", provider_id=None, reason="branch then not taken: step-2 came to else")
    assert case.judged().clean
    case.set(3, reason="branch else not taken: step-2 came to else")
    assert not case.judged().clean
    case.set(3, reason="branch then not taken: step-2 came to then")
    assert not case.judged().clean
    case.set(3, reason="branch then not taken: step-2 is skipped")
    assert not case.judged().clean
    case.set(2, status="skipped", reason="skipped by a person", outcome=None)
    assert case.judged().clean


@pytest.mark.parametrize(("status", "clean"), [("open", True), ("pending", False), ("waiting", False)])
def test_a_gate_that_does_not_move_is_lost_unless_a_person_is_to_move_it(
    case: Case, status: RowStatus, clean: bool
) -> None:
    gate(case, status)
    case.drop(3, attempts=True)
    case.set(3, status="waiting", provider_id=None, due_at=None)
    case.set_enrollment(status="active", ended_at=None)
    assert case.judged().clean is clean


def test_a_task_may_be_reopened_after_what_is_behind_it_went_out(case: Case) -> None:
    gate(case, RowStatus.OPEN)
    case.set_enrollment(status="active", ended_at=None)
    assert not case.judged().clean
    case.set(2, reopened_at=T + 3 * DAY)
    assert case.judged().clean
