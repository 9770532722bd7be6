"""Rows in doubt: resolved by evidence, by a look-up, or by an operator, and never by a guess."""

import json
import time
from typing import Any

import pytest
from stage_site import Site, wait_for
from world import World

from deploy.sandbox.ledger import read_entries
from engine.clock import SequenceClock
from engine.outbox.doubt import doubtful
from engine.outbox.evidence import Evidence, accept_evidence
from engine.outbox.settle import Ending, settle
from engine.outbox.sweep import end_leases
from engine.rules.doubt import LOOK_AFTER_ERROR
from engine.wakeups import Wakeups
from schema.states import RowStatus
from workers.delivery.settler import Settler

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


def test_after_a_server_error_the_first_look_does_not_wait_for_the_grace_time(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    site.enroll("single")
    with site.working(reconcile_grace_seconds=3_600, reconcile_interval_seconds=60):
        site.until("sent")
    assert site.world.rows("reason") == [("found at the provider",)]
    ((seconds,),) = site.world.query("SELECT date_part('epoch', looked_at - ended_at) FROM attempts")
    assert seconds >= LOOK_AFTER_ERROR


def test_a_look_that_finds_nothing_after_a_server_error_is_not_enough_to_send_again(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "reply", "request", status=503, times=1)
    site.enroll("single")
    with site.working(reconcile_grace_seconds=3_600, reconcile_interval_seconds=3_600):
        wait_for(lambda: site.world.query("SELECT looks FROM attempts") == [(1,)], "the first look-up")
    assert site.world.statuses() == ["unknown"]
    assert not site.accepted()


@pytest.mark.parametrize("status", [502, 504])
def test_after_a_gateway_error_the_request_may_be_under_way(world: World, status: int) -> None:
    world.publish(ONE_SMS)
    world.enroll("single")
    (row,) = world.ids()
    world.begin([row])
    world.execute(
        "UPDATE attempt_records SET outcome = 'unanswered', ended_at = clock_timestamp() - interval '10 seconds',"
        f" error_code = '{status}';"
        " UPDATE outbox SET status = 'unknown', lease_until = NULL"
    )
    with world.database.transaction() as session:
        assert doubtful(session, ["sms"], 600, 60) == []
        world.execute("UPDATE attempt_records SET error_code = '500'")
        assert [one.id for one in doubtful(session, ["sms"], 600, 60)] == [row]


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
    (row,) = world.begin(world.ids())
    world.execute("UPDATE outbox SET status = 'unknown', lease_until = NULL, fence = fence + 1 WHERE id = %s", row.id)
    world.execute("UPDATE attempt_records SET outcome = 'unanswered', ended_at = now()")
    return row.id, row.fence


def lose_workers(world: Any) -> None:
    """Every row is handed over, and nobody ever hears of its worker again."""
    payload = {"body": "Hi", "media_urls": [], "sender": "c@example.com", "message_id": "<1@example.com>"}
    payload |= {"date": "2026-01-01T00:00:00+00:00", "subject": "Hi", "text": "Hello", "html": None}
    rows = world.begin(world.ids(), lease=2, payload=json.dumps(payload))
    world.execute("SELECT pg_sleep(2.1)")
    with world.database.transaction() as session:
        assert end_leases(session).in_doubt == len(rows)


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
    (row,) = world.begin(world.ids())
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


@pytest.mark.parametrize("status", ["unknown", "review", "pending"])
def test_the_late_word_of_a_worker_settles_its_row(world: Any, redis_url: str, status: str) -> None:
    """It held the row too long, through a restart of Postgres or a stop: nobody is to be asked, or sent it again."""
    row_id, fence = unknown_row(world)
    world.execute("UPDATE outbox SET status = %s, fence = fence + 1 WHERE id = %s", status, row_id)
    wakeups = Wakeups(redis_url)
    settler = Settler(world.database, wakeups, SequenceClock(world.database))
    settler.settle([Ending(row_id, fence, "sms", RowStatus.SENT, outcome="accepted", provider_id="SM1")])
    assert world.rows("status, provider_id", f"id = {row_id}") == [("sent", "SM1")]
    assert world.query("SELECT outcome, provider_id FROM attempts") == [("accepted", "SM1")]
    assert wakeups.counts()["waiting"] == 1


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_the_late_word_that_it_was_not_accepted_ends_the_doubt(site: Site, channel: str) -> None:
    """Without a look-up, a review or a wait."""
    site.world.publish(ONE_SMS if channel == "sms" else ONE_EMAIL)
    site.enroll("single" if channel == "sms" else "mail")
    (row,) = site.world.begin(site.world.ids(), lease=0.5)
    site.world.execute("SELECT pg_sleep(0.6)")
    with site.world.database.transaction() as session:
        assert end_leases(session).in_doubt == 1
        settle(session, [Ending(row.id, row.fence, channel, RowStatus.PENDING, "no connection", outcome="held")])
    assert site.world.statuses() == ["unknown"]
    with site.working(reconcile_grace_seconds=3_600, reconcile_interval_seconds=0.3):
        site.until("sent")
    assert list(site.accepted().values()) == [1]
    assert site.world.query("SELECT outcome, looks FROM attempts ORDER BY fence") == [("held", 0), ("accepted", 0)]


@pytest.mark.parametrize(("guarantee", "becomes"), [("at_most_once", "review"), ("at_least_once", "sent")])
def test_an_email_whose_worker_was_lost_waits_for_its_late_word(site: Site, guarantee: str, becomes: str) -> None:
    site.world.publish(ONE_EMAIL)
    site.world.execute("UPDATE workspaces SET smtp_guarantee = %s", guarantee)
    site.enroll("mail")
    payload = {"sender": "c@example.com", "message_id": "<1@example.com>", "date": "2026-01-01T00:00:00+00:00"}
    payload |= {"subject": "Hi", "text": "", "html": None}
    site.world.begin(site.world.ids(), lease=0.5, payload=json.dumps(payload))
    site.world.execute("SELECT pg_sleep(0.6)")
    with site.world.database.transaction() as session:
        assert end_leases(session).in_doubt == 1
    with site.working(reconcile_grace_seconds=2, reconcile_interval_seconds=0.1):
        site.until(becomes)
    ((waited,),) = site.world.query(
        "SELECT extract(epoch FROM clock_timestamp() - ended_at)::float8 FROM attempts ORDER BY fence LIMIT 1"
    )
    assert waited > 2


def test_a_provider_that_can_not_be_asked_keeps_no_email_waiting(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.world.publish(ONE_EMAIL)
    site.sandbox.client.add_fault("sms", "silence", "lookup")
    site.enroll("single", count=10)
    site.enroll("mail")
    lose_workers(site.world)
    with site.working(**QUICK):
        wait_for(lambda: "review" in site.world.statuses(), site.world.rows)
        assert site.world.query("SELECT count(*) < 10 FROM attempts WHERE looked_at IS NOT NULL") == [(True,)]


def test_the_late_word_of_a_worker_changes_no_row_that_was_sent_otherwise(world: Any, redis_url: str) -> None:
    row_id, fence = unknown_row(world)
    prove(world, row_id, fence, "SM2")
    before = world.query("SELECT * FROM outbox")
    settler = Settler(world.database, Wakeups(redis_url), SequenceClock(world.database))
    settler.settle([Ending(row_id, fence, "sms", RowStatus.SENT, outcome="accepted", provider_id="SM2")])
    assert world.query("SELECT * FROM outbox") == before
