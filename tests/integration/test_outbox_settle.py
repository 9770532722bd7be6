"""Begin and settle: under the fence and the lease of the claim, and what follows from an ending."""

from typing import Any

import pytest

from engine.clock import SequenceClock
from engine.database import Database
from engine.outbox.begin import Attempt, begin, has_committed
from engine.outbox.claim import claim
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.following import Settled, shift_behind
from engine.outbox.settle import Ending, settle
from schema.states import AttemptOutcome, RowStatus

SENT = {"status": RowStatus.SENT, "outcome": AttemptOutcome.ACCEPTED, "provider_id": "SM1"}


def end(world: Any, row: Any, **what: Any) -> list[Settled]:
    """Settle one row."""
    with world.database.transaction() as session:
        return settle(session, [Ending(row.id, row.fence, row.channel, **what)])


def claim_and_begin(world: Any) -> Any:
    """One row, handed over."""
    (row,) = world.begin(world.ids())
    return row


def test_only_what_was_claimed_is_begun(world: Any) -> None:
    world.enroll()
    with world.database.transaction() as session:
        (row,) = claim(session, world.ids())
    world.execute("UPDATE outbox SET fence = fence + 1 WHERE id = %s", row.id)
    attempt = Attempt(row.id, row.fence, row.recipient, "{}", 0.0)
    with pytest.raises(LookupError, match="has not claimed"), world.database.transaction() as session:
        begin(session, [attempt], 60)
    assert world.query("SELECT count(*) FROM attempts") == [(0,)]
    assert world.statuses() == ["pending"] * 3


def test_what_became_of_a_transaction_can_be_read_back(world: Any, database_url: str) -> None:
    world.enroll(count=2)
    first, *_, second = world.ids("step_order = 1")
    other = Database(database_url, name="other")

    def became(transaction: str) -> str | None:
        with other.transaction() as session:
            return has_committed(session, transaction)

    with world.database.transaction() as session:
        (row,) = claim(session, [first])
        kept = begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
        assert became(kept) == "in progress"
    with world.database.transaction() as session:
        (row,) = claim(session, [second])
        lost = begin(session, [Attempt(row.id, row.fence, row.recipient, "{}", 0.0)], 60)
        session.rollback()
    assert (became(kept), became(lost)) == ("committed", "aborted")
    other.close()


def test_a_sent_row_keeps_what_the_provider_said(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    (settled,) = end(world, row, **SENT)
    assert settled.next_id == world.ids()[1]
    (stored,) = world.rows("status, provider_id, lease_until, fence, sent_at IS NOT NULL", f"id = {row.id}")
    assert stored == ("sent", "SM1", None, 2, True)
    assert world.query("SELECT outcome, provider_id, ended_at IS NOT NULL FROM attempts") == [("accepted", "SM1", True)]


def test_a_late_worker_changes_nothing_but_leaves_its_evidence(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    assert end(world, row, **SENT) == []
    assert world.rows("status, provider_id", f"id = {row.id}") == [("unknown", None)]
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", "SM1")]


def test_what_a_callback_has_proven_outlives_a_worker_without_an_answer(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    with world.database.transaction() as session:
        accept_evidence(session, SequenceClock(world.database), Evidence(1, row.id, row.fence, "SM1"))
    before = world.query("SELECT outcome, provider_id, ended_at FROM attempts")
    assert end(world, row, status=RowStatus.UNKNOWN, reason="silence", outcome=AttemptOutcome.UNANSWERED) == []
    assert world.query("SELECT outcome, provider_id, ended_at FROM attempts") == before
    assert world.rows("status, provider_id", f"id = {row.id}") == [("sent", "SM1")]


def test_a_late_worker_does_not_settle_the_claim_of_another(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    world.execute("UPDATE outbox SET status = 'pending', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    again = claim_and_begin(world)
    assert end(world, row, status=RowStatus.FAILED, reason="no", outcome=AttemptOutcome.REFUSED) == []
    assert world.rows("status, fence", f"id = {row.id}") == [("sending", again.fence)]
    assert world.query("SELECT outcome FROM attempts ORDER BY fence") == [("refused",), (None,)]


def test_settling_twice_counts_once(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    assert len(end(world, row, **SENT)) == 1
    assert end(world, row, status=RowStatus.FAILED, reason="late", outcome=AttemptOutcome.REFUSED) == []
    assert world.statuses()[0] == "sent"


def test_a_try_goes_back_with_its_back_off(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    (settled,) = end(
        world, row, status=RowStatus.PENDING, tries=1, delay=30, outcome=AttemptOutcome.DEFERRED, error_code="21611"
    )
    assert settled.retry_at is not None
    stored = world.rows(
        "status, attempts, error_code, retry_at BETWEEN now() + interval '20 s' AND now() + interval '31 s'",
        f"id = {row.id}",
    )
    assert stored == [("pending", 1, "21611", True)]


def test_the_last_row_completes_the_enrollment(world: Any) -> None:
    world.enroll()
    for row_id in world.ids():
        world.execute("UPDATE outbox SET due_at = now() - interval '1 hour' WHERE status = 'pending'")
        (row,) = world.begin([row_id])
        end(world, row, **SENT)
    assert world.query("SELECT status, completed_at IS NOT NULL FROM enrollments") == [("completed", True)]


@pytest.mark.parametrize("status", [RowStatus.UNKNOWN, RowStatus.PENDING])
def test_a_row_that_has_not_ended_completes_nothing(world: Any, status: RowStatus) -> None:
    world.publish("sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: Hi}]")
    world.enroll("single")
    end(world, claim_and_begin(world), status=status, outcome=AttemptOutcome.UNANSWERED)
    assert world.query("SELECT status FROM enrollments") == [("active",)]


def test_a_refusal_for_good_may_suppress_and_end_the_enrollment(world: Any) -> None:
    world.enroll()
    row = claim_and_begin(world)
    end(
        world,
        row,
        status=RowStatus.FAILED,
        reason="unsubscribed",
        outcome=AttemptOutcome.REFUSED,
        error_code="21610",
        suppress="unsubscribed",
        exit_reason="unsubscribed",
    )
    assert world.query("SELECT channel, address, reason FROM suppressions") == [("sms", "+12025550001", "unsubscribed")]
    assert world.query("SELECT status, exit_reason FROM enrollments") == [("cancelled", "unsubscribed")]
    assert world.statuses() == ["failed", "cancelled", "cancelled"]


def test_steps_behind_a_late_one_keep_their_delay(world: Any) -> None:
    world.enroll()
    before = world.rows("due_at")
    (settled,) = end(world, claim_and_begin(world), **SENT)
    with world.database.transaction() as session:
        moved = shift_behind(session, [(settled, 7_200.0)])
    after = world.rows("due_at")
    assert [(new[0] - old[0]).total_seconds() for old, new in zip(before, after, strict=True)] == [0, 7_200, 7_200]
    assert sorted(ids[0] for _, ids in moved) == world.ids("step_order > 1")
