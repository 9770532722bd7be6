"""What an operator decides of rows in review and in doubt."""

from typing import Any

import pytest
from doubt import unknown_row
from stage_site import Site

from engine.clock import SequenceClock
from engine.errors import InvalidInput, NotFound
from producers.review import Decision, decide, reviews

ONE_SMS = "sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: Hi}]"


@pytest.mark.parametrize(
    ("decision", "status"), [(Decision.SENT, "sent"), (Decision.RESEND, "pending"), (Decision.SKIP, "skipped")]
)
def test_an_operator_decides(world: Any, decision: Decision, status: str) -> None:
    row_id, _ = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'review' WHERE id = %s", row_id)
    with world.database.transaction() as session:
        (shown,) = reviews(session, 1)
        assert (shown.id, shown.attempts[0]["outcome"]) == (row_id, "unanswered")
        resolved = decide(session, SequenceClock(world.database), 1, row_id, decision)
    assert resolved.ids == {row_id}
    assert world.rows("status", f"id = {row_id}") == [(status,)]
    assert [ids for _, ids in resolved.wakeups] == ([[row_id]] if decision is Decision.RESEND else [])


@pytest.mark.parametrize(("status", "moves"), [("unknown", True), ("review", False)])
def test_a_decision_moves_only_steps_that_waited_for_it(world: Any, status: str, moves: bool) -> None:
    row_id, _ = unknown_row(world)
    world.execute("UPDATE outbox SET status = %s, due_at = now() - interval '2 days' WHERE id = %s", status, row_id)
    ((before,),) = world.rows("due_at", "step_order = 2")
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, row_id, Decision.SENT)
    ((after,),) = world.rows("due_at", "step_order = 2")
    assert (after > before) == moves


def test_a_row_is_sent_again_after_its_enrollment_had_ended(world: Any) -> None:
    world.publish(ONE_SMS)
    world.enroll("single")
    world.execute("UPDATE outbox SET status = 'review'")
    world.execute("UPDATE enrollments SET status = 'completed', completed_at = now()")
    with world.database.transaction() as session:
        decide(session, SequenceClock(world.database), 1, world.ids()[0], Decision.RESEND)
    assert len(world.claim(world.ids())) == 1


def test_what_an_operator_sends_again_is_not_too_late(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single")
    site.world.execute("UPDATE outbox SET status = 'review', due_at = now() - interval '3 days'")
    with site.world.database.transaction() as session:
        decide(session, SequenceClock(site.world.database), 1, site.world.ids()[0], Decision.RESEND)
    with site.working():
        site.until("sent")


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
