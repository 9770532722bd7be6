"""Rows in doubt: resolved by evidence, by a look-up, or by an operator, and never by a guess."""

import time
from typing import Any

import pytest
from stage_site import Site, wait_for

from deploy.sandbox.ledger import read_entries
from engine.clock import SequenceClock
from engine.errors import InvalidInput, NotFound
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.settle import Ending, settle
from producers.review import Decision, decide, reviews
from schema.states import RowStatus

QUICK = {"reconcile_grace_seconds": 0.3, "reconcile_interval_seconds": 0.3}
ONE_SMS = "sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: Hi}]"
ONE_EMAIL = "sequence: mail\nname: Mail\nsteps: [{key: only, type: email, subject: Hi, text: Hello}]"


def test_a_message_that_was_accepted_is_found_and_its_sequence_goes_on(site: Site) -> None:
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    site.enroll("follow-up")
    with site.working(**QUICK):
        site.until("sent", "pending", "pending")
        site.jump(1.1)
        site.until("sent", "sent", "pending")
    ((sid, reason),) = site.world.rows("provider_id, reason", "step_order = 1")
    assert sid.startswith("SM") and reason == "found at the provider"
    assert set(site.accepted().values()) == {1}


def test_a_message_that_was_never_accepted_is_sent_after_two_looks(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "reply", "request", status=500, times=1)
    site.enroll("single")
    with site.working(**QUICK):
        site.until("sent")
    assert list(site.accepted().values()) == [1]
    assert site.world.query("SELECT outcome, looks FROM attempts ORDER BY fence") == [
        ("unanswered", 2),
        ("accepted", 0),
    ]


def test_nothing_is_looked_up_before_the_grace_time(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "silence", "accepted", times=1)
    site.enroll("single")
    with site.working(reconcile_grace_seconds=3_600, reconcile_interval_seconds=0.2):
        site.until("unknown")
        time.sleep(1)  # time enough for several looks, were there any
    assert site.world.statuses() == ["unknown"]
    assert site.world.query("SELECT looks, looked_at FROM attempts") == [(0, None)]


def test_two_identical_messages_are_for_a_person(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.world.publish(ONE_SMS.replace("single", "twin"))
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=2)
    site.enroll("single", phone="+12025550001", email="same@example.com")
    site.enroll("twin", phone="+12025550001", email="same@example.com")
    with site.working(**QUICK):
        wait_for(lambda: "review" in site.world.statuses(), site.world.rows)
    assert sum(site.accepted().values()) == 2


def test_a_look_up_that_fails_is_made_again(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    site.sandbox.client.add_fault("sms", "reply", "lookup", status=503, times=3)
    site.enroll("single")
    with site.working(**QUICK):
        site.until("sent")
    assert list(site.accepted().values()) == [1]


def test_email_at_most_once_goes_to_review_and_the_sequence_goes_on(site: Site) -> None:
    site.world.publish(ONE_EMAIL)
    site.sandbox.client.add_fault("email", "drop", "accepted", times=1)
    site.enroll("mail")
    with site.working(**QUICK):
        site.until("review")
    assert list(site.accepted().values()) == [1]
    assert site.world.query("SELECT status FROM enrollments") == [("completed",)]


@pytest.mark.parametrize("stage", ["dot", "accepted"])
def test_email_at_least_once_is_sent_once_more_with_the_same_bytes(site: Site, stage: str) -> None:
    site.world.publish(ONE_EMAIL)
    site.world.execute("UPDATE workspaces SET smtp_guarantee = 'at_least_once'")
    site.sandbox.client.add_fault("email", "drop", stage, times=1)
    site.enroll("mail", first_name="Ann")
    with site.working(**QUICK):
        site.until("sent")
    sent = [entry.raw for entry in read_entries(site.sandbox.ledger) if entry.event == "accepted"]
    assert len(sent) == (1 if stage == "dot" else 2)
    assert len(set(sent)) == 1


def test_email_at_least_once_is_not_sent_a_third_time(site: Site) -> None:
    site.world.publish(ONE_EMAIL)
    site.world.execute("UPDATE workspaces SET smtp_guarantee = 'at_least_once'")
    site.sandbox.client.add_fault("email", "drop", "accepted", times=5)
    site.enroll("mail")
    with site.working(**QUICK):
        site.until("review")
    assert sum(site.accepted().values()) == 2


def unknown_row(world: Any) -> tuple[int, int]:
    """A row in doubt: its id and the fence of its attempt."""
    world.enroll()
    (row,) = world.claim(world.ids())
    world.begin([row])
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    world.execute("UPDATE attempts SET outcome = 'unanswered', ended_at = now()")
    return row.id, row.fence


def prove(world: Any, row_id: int, fence: int, sid: str = "SM1", workspace_id: int = 1) -> list[Any]:
    """A callback's evidence."""
    with world.database.transaction() as session:
        evidence = Evidence(workspace_id, row_id, fence, sid)
        return accept_evidence(session, SequenceClock(world.database), evidence)


def test_a_callback_settles_a_row_in_doubt_and_wakes_the_next(world: Any) -> None:
    row_id, fence = unknown_row(world)
    wakeups = prove(world, row_id, fence)
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert [ids for _, ids in wakeups] == [[world.ids("step_order = 2")[0]]]
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", "SM1")]


def test_a_callback_may_come_before_the_response(world: Any) -> None:
    world.enroll()
    (row,) = world.claim(world.ids())
    world.begin([row])
    prove(world, row.id, row.fence)
    assert world.rows("status, provider_id", f"id = {row.id}") == [("sent", "SM1")]


def test_a_repeated_callback_changes_nothing(world: Any) -> None:
    row_id, fence = unknown_row(world)
    prove(world, row_id, fence)
    before = world.query("SELECT * FROM outbox")
    assert prove(world, row_id, fence) == []
    assert world.query("SELECT * FROM outbox") == before


def test_a_callback_for_another_workspace_or_attempt_changes_nothing(world: Any) -> None:
    row_id, fence = unknown_row(world)
    before = world.query("SELECT * FROM outbox")
    assert prove(world, row_id, fence, workspace_id=2) == []
    assert prove(world, row_id, fence + 5) == []
    assert world.query("SELECT * FROM outbox") == before


@pytest.mark.parametrize("status", ["cancelled", "skipped", "failed"])
def test_what_was_accepted_is_sent_though_it_was_given_up(world: Any, status: str) -> None:
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = %s, reason = 'given up' WHERE id = %s", status, row_id)
    prove(world, row_id, fence)
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]


def test_a_callback_stops_the_next_attempt_before_it_is_begun(world: Any) -> None:
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'pending', fence = fence + 1 WHERE id = %s", row_id)
    (row,) = world.claim([row_id])
    prove(world, row_id, fence)
    assert world.begin([row]) == set()
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]


def test_a_callback_settles_a_row_while_the_next_attempt_is_on_its_way(world: Any) -> None:
    """That one can't be called back, but whatever it hears, the row is not sent a third time."""
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = 'pending', fence = fence + 1 WHERE id = %s", row_id)
    (row,) = world.claim([row_id])
    assert world.begin([row]) == {row_id}
    prove(world, row_id, fence)
    with world.database.transaction() as session:
        assert settle(session, [Ending(row_id, row.fence, "sms", RowStatus.PENDING, outcome="deferred")]) == []
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT outcome, provider_id FROM attempts ORDER BY fence") == [
        ("accepted", "SM1"),
        ("deferred", None),
    ]


def test_evidence_of_a_second_acceptance_is_kept_as_a_duplicate(world: Any) -> None:
    row_id, fence = unknown_row(world)
    prove(world, row_id, fence)
    prove(world, row_id, fence, "SM2")
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT provider_id FROM attempts") == [("SM1",)]


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
