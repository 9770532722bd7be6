"""The verdict on a storm: it holds when all is well, and finds each thing that is not."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.chaos.history import keep_history
from deploy.chaos.people import Person, Reply
from deploy.chaos.verdict import Heard, Sort, Verdict, reach_verdict
from deploy.sandbox.ledger import Entry, LedgerWriter
from engine.outbox.claim import Claimed
from engine.outbox.settle import Ending, settle
from producers.suppressions import STOP, suppress
from schema.states import RowStatus

SMS = 'sequence: sms\nsteps: [{key: only, type: sms, body: "Hi"}]'
EMAIL = "sequence: email\nsteps: [{key: only, type: email, subject: Hi, text: Hello}]"
MAIL = "From: c@example.com\r\nSubject: Hi\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n"


class Storm:
    """One person in one sequence, and what a provider accepted."""

    def __init__(self, world: Any, ledger: Path, sequence: str) -> None:
        self.world = world
        self.ledger = ledger
        self.person = Person("ann", "+12025550001", "ann@example.com", "default", sequence, 0.0, None)
        self.heard = Heard([self.person], set(), 0)
        keep_history(world.database)
        world.publish(SMS)
        world.publish(EMAIL)
        world.enroll(sequence, external_id="ann", phone="+12025550001", email="ann@example.com")
        (self.row,) = self.hand_over()

    def hand_over(self) -> list[Claimed]:
        """Claim and begin what is due."""
        payload = '{"body": "Hi", "media_urls": [], "message_id": "<1@example.com>", "subject": "Hi", "text": "Hello"}'
        rows: list[Claimed] = self.world.begin(self.world.ids(), payload=payload)
        return rows

    def settle(self, status: RowStatus, outcome: str, provider_id: str | None = None) -> None:
        """Settle the attempt."""
        row = self.row
        ending = Ending(row.id, row.fence, row.channel, status, "so", outcome=outcome, provider_id=provider_id)
        with self.world.database.transaction() as session:
            settle(session, [ending])

    def accept(self, provider_id: str) -> None:
        """The provider accepts it."""
        entry = Entry(at=time.time(), channel="sms", event="accepted", id=provider_id, to="+12025550001", body="Hi")
        if self.row.channel == "email":
            entry = replace(entry, channel="email", to="ann@example.com", body=None, subject="Hi", raw=MAIL)
        with LedgerWriter(self.ledger) as writer:
            writer.write(entry)

    def verdict(self) -> Verdict:
        """What is said of it."""
        return reach_verdict(self.world.database, self.ledger, self.heard)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def text(world: Any, ledger: Path) -> Storm:
    """A text message that was accepted, and the row says so."""
    storm = Storm(world, ledger, "sms")
    storm.accept("SM1")
    storm.settle(RowStatus.SENT, "accepted", "SM1")
    return storm


@pytest.fixture
def mail(world: Any, ledger: Path) -> Storm:
    """An email that went unanswered, though it was accepted, and then answered."""
    storm = Storm(world, ledger, "email")
    storm.accept("<1@example.com>")
    storm.settle(RowStatus.PENDING, "unanswered")
    (storm.row,) = storm.hand_over()
    storm.accept("<1@example.com>")
    storm.settle(RowStatus.SENT, "accepted", "<1@example.com>")
    return storm


def test_all_is_well(text: Storm) -> None:
    verdict = text.verdict()
    assert (verdict.holds, verdict.broken, verdict.audit.accepted_once) == (True, [], 1)


def test_a_text_message_that_was_accepted_twice(text: Storm) -> None:
    text.accept("SM2")
    verdict = text.verdict()
    assert verdict.broken == ["1 duplicated"]
    assert verdict.duplicated == {Sort.SMS: 1}
    assert verdict.rows == [text.row.id]


def test_a_text_message_that_was_lost(world: Any, ledger: Path) -> None:
    storm = Storm(world, ledger, "sms")
    ledger.touch()
    storm.settle(RowStatus.FAILED, "unanswered")
    assert storm.verdict().broken == ["1 lost"]


def test_an_email_may_be_accepted_twice_under_at_least_once_alone(mail: Storm) -> None:
    assert mail.verdict().broken == ["1 duplicated"]
    mail.world.execute("UPDATE workspaces SET smtp_guarantee = 'at_least_once'")
    verdict = mail.verdict()
    assert verdict.holds
    assert verdict.duplicated == {Sort.AT_LEAST_ONCE: 1}
    mail.accept("<1@example.com>")
    assert mail.verdict().broken == ["1 duplicated"]


def test_a_row_in_review_must_have_been_in_doubt(world: Any, ledger: Path) -> None:
    storm = Storm(world, ledger, "sms")
    storm.accept("SM1")
    storm.settle(RowStatus.REVIEW, "unanswered")
    assert storm.verdict().broken == ["1 rows in review that nothing has put in doubt"]
    world.execute("UPDATE outbox SET status = 'unknown', fence = fence + 1")
    world.execute("UPDATE outbox SET status = 'review', fence = fence + 1")
    verdict = storm.verdict()
    assert verdict.holds
    assert [(review.sort, review.reason, review.rows, review.accepted) for review in verdict.reviews] == [
        (Sort.SMS, "so", 1, 1)
    ]
    world.execute("UPDATE attempt_records SET outcome = 'accepted'")
    assert storm.verdict().broken == ["1 rows in review that nothing has put in doubt"]


def test_a_row_that_never_settled(text: Storm) -> None:
    text.world.execute("UPDATE outbox SET status = 'pending', due_at = due_at + interval '1 year', sent_at = NULL")
    assert "1 rows that were not settled in time" in text.verdict().broken


def test_somebody_who_was_not_enrolled(text: Storm) -> None:
    text.heard = replace(text.heard, people=[text.person, replace(text.person, name="bob")])
    assert text.verdict().broken == ["1 enrollments that are missing"]


def test_somebody_who_was_enrolled_twice(text: Storm) -> None:
    text.heard = replace(text.heard, people=[])
    assert text.verdict().broken == ["1 enrollments too many"]


def test_a_stop_that_was_answered_and_forgotten(text: Storm) -> None:
    text.heard = replace(text.heard, stopped={replace(text.person, reply=Reply(0.0, "STOP", stops=True))})
    assert text.verdict().broken == ["1 STOPs that were answered and forgotten"]
    with text.world.database.transaction() as session:
        suppress(session, 1, "sms", "+12025550001", STOP)
    assert text.verdict().holds


def test_somebody_who_is_taken_for_stopped(text: Storm) -> None:
    with text.world.database.transaction() as session:
        suppress(session, 1, "sms", "+12025550001", STOP)
    assert text.verdict().broken == ["1 people taken for stopped who had not said so"]


def test_a_forged_reply_and_a_process_that_does_nothing(text: Storm) -> None:
    text.heard = replace(text.heard, forged=2, idle=[4711])
    assert text.verdict().broken == [
        "1 worker processes that did nothing any more",
        "2 forged replies that were accepted",
    ]
