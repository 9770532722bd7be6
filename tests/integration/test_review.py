"""What an operator decides of rows that need it."""

from threading import Thread
from typing import Any

import pytest
from stage_site import GENEROUS, Site, wait_for
from world import World

from engine.clock import SequenceClock
from engine.database import Database
from engine.errors import InvalidInput, NotFound, UnderWay
from engine.outbox.begin import Attempt, begin
from engine.outbox.claim import claim
from engine.outbox.settle import Ending, settle
from producers.enroll_event import EnrollEvent, write
from producers.review import Decision, count_reviews, decide, reviews
from schema.states import RowStatus

ONE_SMS = "sequence: single\nname: Single\nreentry: after_exit\nsteps: [{key: only, type: sms, body: Hi}]"
LOCKS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def unknown_row(world: Any) -> int:
    """A row in doubt."""
    world.enroll()
    (row,) = world.begin(world.ids())
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    world.execute("UPDATE attempt_records SET outcome = 'unanswered', ended_at = now()")
    return int(row.id)


def make(world: World, row_id: int, decision: Decision) -> None:
    """Decide of a row."""
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, row_id, decision)


@pytest.mark.parametrize(
    ("decision", "status"), [(Decision.SENT, "sent"), (Decision.RESEND, "pending"), (Decision.SKIP, "skipped")]
)
def test_an_operator_decides(world: Any, decision: Decision, status: str) -> None:
    row_id = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'review' WHERE id = %s", row_id)
    with world.database.transaction() as session:
        (shown,) = reviews(session, 1)
        assert (shown.id, shown.attempts[0]["outcome"]) == (row_id, "unanswered")
        resolved = decide(session, SequenceClock(world.database), 1, row_id, decision)
    assert resolved.ids == {row_id}
    assert world.rows("status", f"id = {row_id}") == [(status,)]
    assert resolved.wakeups


def test_a_row_is_sent_again_after_its_enrollment_had_ended(world: Any) -> None:
    world.publish(ONE_SMS)
    world.enroll("single")
    world.execute("UPDATE outbox SET status = 'review'")
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, world.ids()[0], Decision.RESEND)
    assert len(world.claim(world.ids())) == 1


def test_only_rows_that_need_it_are_decided(world: Any) -> None:
    world.enroll()
    clock = SequenceClock(world.database)
    with world.database.transaction() as session:
        with pytest.raises(InvalidInput, match="needs no decision"):
            decide(session, clock, 1, world.ids()[0], Decision.SENT)
        with pytest.raises(NotFound):
            decide(session, clock, 1, 4_711, Decision.SENT)
        with pytest.raises(NotFound):
            decide(session, clock, 2, world.ids()[0], Decision.SENT)


def test_all_rows_are_counted_and_none_is_left_out_unseen(world: World) -> None:
    world.enroll(count=3)
    world.execute("UPDATE outbox SET status = 'review'")
    world.execute("UPDATE outbox SET status = 'unknown' WHERE step_order = 1")
    with world.database.transaction() as session:
        assert (len(reviews(session, 1)), count_reviews(session, 1)) == (6, 6)
        assert (len(reviews(session, None, unknown=True)), count_reviews(session, None, unknown=True)) == (9, 9)
        assert (len(reviews(session, 1, limit=4)), len(reviews(session, 2)), count_reviews(session, 2)) == (4, 0, 0)


def test_a_row_that_is_sent_again_is_not_too_late(site: Site) -> None:
    """However long it had waited for the decision."""
    site.world.publish(ONE_SMS)
    site.world.enroll("single")
    site.world.execute("UPDATE outbox SET status = 'review', due_at = due_at - interval '3 days'")
    make(site.world, site.world.ids()[0], Decision.RESEND)
    with site.working():
        site.until("sent")
    assert sum(site.accepted().values()) == 1


def test_what_has_been_left_early_is_not_sent_again(world: World) -> None:
    row_id = unknown_row(world)
    world.execute("UPDATE enrollments SET status = 'cancelled', cancelled_at = now(), exit_reason = 'unsubscribed'")
    with pytest.raises(InvalidInput, match=r"ended early \(unsubscribed\)"):
        make(world, row_id, Decision.RESEND)
    assert world.rows("status", f"id = {row_id}") == [("unknown",)]
    make(world, row_id, Decision.SKIP)


def test_what_has_been_enrolled_anew_is_not_sent_again(world: World) -> None:
    world.publish(ONE_SMS)
    world.enroll("single", phone="+12025550101", email="ana@example.com")
    world.execute("UPDATE outbox SET status = 'review'")
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    with world.database.transaction() as session:
        assert write(session, EnrollEvent("single", phone="+12025550101", email="ana@example.com")).created
    with pytest.raises(InvalidInput, match="enrolled anew"):
        make(world, world.ids()[0], Decision.RESEND)
    assert world.statuses() == ["review", "pending"]


def last_step_due(world: World) -> int:
    """The first step is in review, and the last is due; give the first."""
    row_id = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'review' WHERE id = %s", row_id)
    world.execute("UPDATE outbox SET status = 'done' WHERE step_order = 2")
    world.execute("UPDATE outbox SET due_at = now() WHERE step_order = 3")
    return row_id


def last_step_in_flight(world: World) -> tuple[int, Any]:
    """The first step is in review, and the last is being sent."""
    row_id = last_step_due(world)
    (last,) = world.claim(world.ids("step_order = 3"))
    return row_id, last


def end(world: World, row: Any) -> None:
    with world.database.transaction() as session:
        settle(session, [Ending(row.id, row.fence, "email", RowStatus.SENT)])


def test_a_row_is_not_sent_again_beside_a_later_one(world: World) -> None:
    row_id, last = last_step_in_flight(world)
    with pytest.raises(UnderWay):
        make(world, row_id, Decision.RESEND)
    end(world, last)
    make(world, row_id, Decision.RESEND)
    assert world.rows("status") == [("pending",), ("done",), ("sent",)]
    assert world.query("SELECT status FROM enrollments") == [("active",)]
    assert len(world.claim([row_id])) == 1


def test_a_later_step_that_is_being_begun_is_waited_for(world: World, database_url: str) -> None:
    """So that a row and a later one are never on their way together, nor an enrollment completed over one of them."""
    row_id = last_step_due(world)
    said: list[str] = []

    def decide_it() -> None:
        try:
            make(world, row_id, Decision.RESEND)
        except UnderWay:
            said.append("under way")

    other = Database(database_url, name="other")
    with other.transaction() as session:
        (last,) = claim(session, world.ids("step_order = 3"))
        thread = Thread(target=decide_it)
        thread.start()
        wait_for(lambda: session.execute(LOCKS).fetchone() == (1,), "the decision waits")
        begin(session, [Attempt(last.id, last.fence, last.email, "{}", 0.0)], 60)
    thread.join(GENEROUS)
    other.close()
    assert said == ["under way"]
    assert world.rows("status") == [("review",), ("done",), ("sending",)]


def test_a_later_step_is_not_begun_beside_a_decision(world: World) -> None:
    row_id = last_step_due(world)
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, row_id, Decision.RESEND)
        assert world.claim(world.ids("step_order = 3")) == []
    assert world.claim(world.ids("step_order = 3")) == []
    assert len(world.claim([row_id])) == 1


def test_a_decision_waits_for_the_end_of_the_enrollment(world: World, database_url: str) -> None:
    """The last step is being settled: what that completes is reopened."""
    row_id, last = last_step_in_flight(world)
    other = Database(database_url, name="other")
    with other.transaction() as session:
        settle(session, [Ending(last.id, last.fence, "email", RowStatus.SENT)])
        thread = Thread(target=make, args=(world, row_id, Decision.RESEND))
        thread.start()
        wait_for(lambda: session.execute(LOCKS).fetchone() == (1,), "the decision waits")
    thread.join(GENEROUS)
    other.close()
    assert world.rows("status") == [("pending",), ("done",), ("sent",)]
    assert world.query("SELECT status FROM enrollments") == [("active",)]
