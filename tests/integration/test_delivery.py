"""Delivery from the wake-up to the settled row, through the real channels to the sandbox providers."""

import time
from collections import Counter
from datetime import timedelta

import psycopg
import pytest
import redis
from stage_site import Site, wait_for

from producers.enroll_event import EnrollEvent, publish, publish_within

ONE_SMS = 'sequence: single\nname: Single\nsteps: [{key: only, type: sms, body: "Hi {{ custom.x }}"}]'
ONE_EMAIL = "sequence: mail\nname: Mail\nsteps: [{key: only, type: email, subject: Hi, text: Hello}]"


def test_every_step_goes_out_once_and_in_order(site: Site) -> None:
    site.enroll("follow-up", count=20, first_name="Ann")
    with site.working():
        for days in (0, 1, 1):
            if days:
                site.jump(days)
            wait_for(lambda: "pending" not in due_now(site), "what is due goes out")
    assert site.world.statuses() == ["sent"] * 60
    assert set(site.accepted().values()) == {1}
    assert len(site.accepted()) == 60
    assert site.world.query("SELECT DISTINCT status FROM enrollments") == [("completed",)]
    assert site.world.query(
        "SELECT count(*) FROM outbox o JOIN outbox b ON b.enrollment_id = o.enrollment_id"
        " AND b.step_order < o.step_order AND b.sent_at > o.sent_at"
    ) == [(0,)]
    ((email,),) = site.world.query("SELECT provider_id FROM outbox WHERE type = 'email' LIMIT 1")
    assert email.startswith("<") and email.endswith("@example.com>")


def due_now(site: Site) -> list[str]:
    """The statuses of rows that are due."""
    return [status for (status,) in site.world.rows("status", "due_at <= sequence_now()")]


def test_several_steps_that_fall_due_together_keep_their_order(site: Site) -> None:
    site.enroll("follow-up", count=10)
    site.jump(10)
    with site.working():
        site.until(*["sent"] * 30)
    assert site.world.query(
        "SELECT count(*) FROM attempts a JOIN outbox o ON o.id = a.outbox_id"
        " JOIN outbox b ON b.enrollment_id = o.enrollment_id AND b.step_order < o.step_order"
        " JOIN attempts p ON p.outbox_id = b.id AND p.ended_at > a.started_at"
    ) == [(0,)]


def test_what_was_sent_is_kept_on_the_attempt(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single", attributes={"x": "there"})
    with site.working():
        site.until("sent")
    assert site.world.query("SELECT channel, recipient, payload->>'body', outcome FROM attempts") == [
        ("sms", "+12025550001", "Hi there", "accepted")
    ]


def test_slow_down_is_obeyed_and_uses_no_try(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "reply", status=429, code=20429, retry_after=1, times=4)
    site.enroll("single")
    with site.working():
        site.until("sent")
    assert site.world.rows("attempts") == [(0,)]
    assert site.world.query("SELECT outcome, count(*) FROM attempts GROUP BY 1 ORDER BY 1") == [
        ("accepted", 1),
        ("held", 4),
    ]
    assert list(site.accepted().values()) == [1]


@pytest.mark.parametrize("stage", ["request", "accepted"])
def test_a_server_error_is_never_tried_again_on_a_guess(site: Site, stage: str) -> None:
    site.sandbox.client.add_fault("sms", "reply", stage, status=500, times=1)
    site.enroll("follow-up")
    with site.working():
        site.until("unknown", "pending", "pending")
        site.jump(10)
        time.sleep(3 * site.settings.sweep_seconds)  # time enough for a guess, were there one
        assert site.world.statuses() == ["unknown", "pending", "pending"]
    assert sum(site.accepted().values()) == (1 if stage == "accepted" else 0)


def test_silence_is_unknown(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "silence", "accepted", times=1)
    site.enroll("single")
    with site.working():
        site.until("unknown")
    assert list(site.accepted().values()) == [1]


@pytest.mark.parametrize(("stage", "expected"), [("data", "sent"), ("accepted", "unknown")])
def test_an_smtp_drop_is_definite_before_the_final_dot_only(site: Site, stage: str, expected: str) -> None:
    site.world.publish(ONE_EMAIL)
    site.sandbox.client.add_fault("email", "drop", stage, times=1)
    site.enroll("mail")
    with site.working():
        site.until(expected)
    assert list(site.accepted().values()) == [1]
    assert site.world.rows("attempts") == [(0,)]


def test_a_provider_that_refuses_connections_costs_nothing_but_time(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "refuse")
    site.enroll("single", count=3)
    with site.working():
        wait_for(lambda: site.world.query("SELECT count(*) > 5 FROM attempts") == [(True,)], "several tries")
        site.sandbox.client.end_faults()
        site.until("sent", "sent", "sent")
    assert site.world.rows("attempts") == [(0,)] * 3
    assert set(site.accepted().values()) == {1}


def test_three_refusals_for_now_use_the_tries_up(site: Site) -> None:
    site.world.publish(ONE_EMAIL)
    site.sandbox.client.add_fault("email", "reply", "rcpt", code=452, text="4.2.2 mailbox full")
    site.enroll("mail")
    with site.working():
        site.until("failed")
    assert site.world.rows("attempts, reason") == [(3, "tries_used_up")]
    assert not site.accepted()


def test_greylisting_uses_no_try_and_each_wait_is_longer(site: Site) -> None:
    site.world.publish(ONE_EMAIL)
    site.sandbox.client.add_fault("email", "reply", "rcpt", code=451, text="4.7.1 greylisted")
    site.enroll("mail")
    waits = (
        "SELECT date_part('epoch', o.retry_at - a.ended_at) / 0.2 FROM outbox o JOIN attempts a"
        " ON a.outbox_id = o.id AND a.fence = o.fence - 1 WHERE o.status = 'pending' AND o.fence = {fence}"
    )
    with site.working():
        for fence, wait in ((2, 12), (4, 60)):
            query = waits.format(fence=fence)
            wait_for(lambda query=query: site.world.query(query), f"the refusal after which the fence is {fence}")
            ((multiple,),) = site.world.query(query)
            assert wait - 1 < multiple < 1.1 * wait + 1
            site.world.execute("UPDATE outbox SET retry_at = clock_timestamp()")
        site.sandbox.client.end_faults()
        site.world.execute("UPDATE outbox SET retry_at = clock_timestamp() WHERE status = 'pending'")
        site.until("sent")
    assert site.world.rows("attempts") == [(0,)]
    assert list(site.accepted().values()) == [1]


def test_a_refusal_for_good_lets_the_sequence_go_on(site: Site) -> None:
    site.sandbox.client.add_fault("sms", "reply", status=400, code=21617, times=1)
    site.enroll("follow-up")
    with site.working():
        site.until("failed", "pending", "pending")
        site.jump(1.1)
        site.until("failed", "sent", "pending")
    assert site.world.rows("error_code", "step_order = 1") == [("21617",)]


def test_an_unsubscribed_number_is_suppressed_and_its_enrollment_ends(site: Site) -> None:
    site.sandbox.client.set_unsubscribed(["+12025550001"])
    site.enroll("follow-up")
    with site.working():
        site.until("failed", "cancelled", "cancelled")
    assert site.world.query("SELECT status, exit_reason FROM enrollments") == [("cancelled", "unsubscribed")]
    assert site.world.query("SELECT address FROM suppressions") == [("+12025550001",)]


def test_a_suppressed_recipient_is_skipped_and_the_reason_says_so(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.world.execute(
        "INSERT INTO suppressions (workspace_id, channel, address, reason) VALUES (1, 'sms', '+12025550001', 'stop')"
    )
    site.enroll("single")
    with site.working():
        site.until("skipped")
    assert site.world.rows("reason") == [("suppressed: stop",)]
    assert not site.accepted()
    assert site.world.query("SELECT status FROM enrollments") == [("completed",)]


def test_what_is_too_late_is_skipped(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single")
    site.world.execute("UPDATE outbox SET due_at = now() - interval '25 hours'")
    with site.working():
        site.until("skipped")
    assert site.world.rows("reason") == [("too_late",)]


def test_a_message_that_cannot_be_rendered_fails_and_says_why(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single", attributes={"x": "x" * 1_600})
    with site.working():
        site.until("failed")
    ((reason,),) = site.world.rows("reason")
    assert reason.startswith("sms_too_long")
    assert site.world.query("SELECT count(*) FROM attempts") == [(0,)]


def test_a_late_step_moves_those_behind_it(site: Site) -> None:
    site.enroll("follow-up")
    site.world.execute("UPDATE outbox SET due_at = due_at - interval '2 hours'")
    (_, before, _) = site.world.rows("due_at")
    with site.working():
        site.until("sent", "pending", "pending")
    (_, after, _) = site.world.rows("due_at")
    assert timedelta(hours=2) <= after[0] - before[0] < timedelta(hours=2, minutes=5)


def test_a_flushed_redis_loses_nothing(site: Site, redis_url: str) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single", count=30)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    with site.working():
        wait_for(lambda: "sent" in site.world.statuses(), "the first row")
        with redis.Redis.from_url(redis_url) as client:
            client.flushdb()
        site.until(*["sent"] * 30)
    assert set(site.accepted().values()) == {1}


def test_a_wake_up_that_comes_again_and_again_sends_once(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single", count=5)
    with site.working():
        for _ in range(30):
            site.wakeups.schedule([(0.0, site.world.ids())])
            time.sleep(0.01)
        site.until(*["sent"] * 5)
        wait_for(lambda: site.wakeups.counts()["waiting"] == 0, "all wake-ups are looked at")
    assert set(site.accepted().values()) == {1}


def test_an_early_wake_up_is_put_back(site: Site) -> None:
    site.enroll("follow-up")
    with site.working():
        site.until("sent", "pending", "pending")
        site.wakeups.schedule([(0.0, site.world.ids("step_order = 3"))])
        wait_for(lambda: site.wakeups.counts()["queued"] == 0, "it is looked at")
    assert site.world.statuses() == ["sent", "pending", "pending"]


def test_an_enrollment_in_the_callers_transaction_goes_out_after_its_commit(site: Site, database_url: str) -> None:
    site.world.publish(ONE_SMS)
    with site.working(sweep_seconds=3_600):
        with psycopg.connect(database_url) as connection:
            publish_within(connection, EnrollEvent("single", phone="+12025550001"))
        site.until("sent")


def test_stopping_waits_for_what_is_in_flight(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.sandbox.client.add_fault("sms", "latency", seconds=1)
    site.enroll("single", count=8)
    with site.working(in_flight=4):
        wait_for(lambda: site.world.query("SELECT count(*) FROM attempts") == [(4,)], "four are in flight")
    assert Counter(site.world.statuses()) == {"sent": 4, "pending": 4}
    assert sum(site.accepted().values()) == 4
    with site.working():
        site.until(*["sent"] * 8)
    assert set(site.accepted().values()) == {1}


def test_two_workspaces_keep_their_own(site: Site) -> None:
    site.world.execute("INSERT INTO workspaces (key, name) VALUES ('other', 'Other')")
    ((other,),) = site.world.query("SELECT id FROM workspaces WHERE key = 'other'")
    site.world.publish(ONE_SMS)
    site.world.publish(ONE_SMS.replace("Hi", "Ciao"), workspace_id=other)
    for name in ("default", "other"):
        event = EnrollEvent("single", phone="+12025550001", workspace=name)
        publish(site.world.database, site.wakeups, event)
    with site.working():
        site.until("sent", "sent")
    assert site.accepted() == {("+12025550001", "Hi"): 1, ("+12025550001", "Ciao"): 1}


def test_a_row_that_the_database_does_not_take_keeps_no_other_waiting(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single", count=5)
    site.world.execute("ALTER TABLE attempt_records ADD CHECK (recipient <> '+12025550003')")
    with site.working():
        site.until("sent", "sent", "pending", "sent", "sent")
    assert set(site.accepted().values()) == {1}


def test_an_ending_that_the_database_does_not_take_keeps_no_other_waiting(site: Site) -> None:
    site.world.publish(ONE_SMS)
    site.enroll("single", count=5)
    ((third,),) = site.world.query("SELECT id FROM outbox ORDER BY id LIMIT 1 OFFSET 2")
    site.world.execute(f"ALTER TABLE outbox ADD CHECK (status <> 'sent' OR id <> {third})")
    with site.working(lease_seconds=8.0):
        site.until("sent", "sent", "unknown", "sent", "sent")
    assert set(site.accepted().values()) == {1}
