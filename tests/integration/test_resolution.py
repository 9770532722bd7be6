"""Rows in doubt: resolved by evidence, by a look-up, or by an operator, and never by a guess."""

import time
from typing import Any

import pytest
from stage_site import Site, wait_for

from deploy.sandbox.ledger import read_entries
from engine.clock import SequenceClock
from engine.outbox.evidence import Evidence, accept_evidence

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


def test_a_callback_for_another_workspace_changes_nothing(world: Any) -> None:
    row_id, fence = unknown_row(world)
    before = world.query("SELECT * FROM outbox")
    assert prove(world, row_id, fence, workspace_id=2) == []
    assert world.query("SELECT * FROM outbox") == before


def test_evidence_of_a_second_acceptance_is_kept_as_a_duplicate(world: Any) -> None:
    row_id, fence = unknown_row(world)
    prove(world, row_id, fence)
    prove(world, row_id, fence, "SM2")
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT provider_id FROM attempts") == [("SM1",)]
