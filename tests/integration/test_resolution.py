"""Rows in doubt: resolved by a look-up at the provider, or by what the workspace asks of email; never by a guess."""

import time

import pytest
from stage_site import Site, wait_for

from deploy.sandbox.ledger import read_entries

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


def enroll_twins(site: Site) -> None:
    """Two rows that say the same to the same person at the same time."""
    site.world.publish(ONE_SMS)
    site.world.publish(ONE_SMS.replace("single", "twin"))
    for sequence in ("single", "twin"):
        site.enroll(sequence, phone="+12025550001", email="same@example.com")


def test_one_message_for_two_rows_in_doubt_is_for_a_person(site: Site) -> None:
    """It may be either's, and the other is lost."""
    site.sandbox.client.add_fault("sms", "reply", "accepted", status=500, times=1)
    site.sandbox.client.add_fault("sms", "reply", "request", status=500, times=1)
    enroll_twins(site)
    with site.working(**QUICK):
        site.until("review", "review")
    assert list(site.accepted().values()) == [1]


def test_a_message_of_another_row_is_not_taken_for_this_one(site: Site) -> None:
    site.sandbox.client.add_fault("sms", "reply", "request", status=500, times=1)
    enroll_twins(site)
    with site.working(**QUICK):
        site.until("sent", "sent")
    assert list(site.accepted().values()) == [2]
    assert site.world.query("SELECT count(DISTINCT provider_id) FROM outbox") == [(2,)]


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
