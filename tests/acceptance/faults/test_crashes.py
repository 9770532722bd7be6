"""Scenarios 1 to 7: worker processes that are killed, ended and stopped, each at its worst moment."""

import pytest
from stage import COMMIT, Play, begins, wait_for

from deploy.chaos.trap import Moment, Strike
from engine.outbox.begin import BEGIN
from engine.outbox.claim import CLAIM
from engine.outbox.settle import SETTLE
from engine.wakeups.wakeups import QUEUE

#: The request that sends a text message.
POST = b"POST /2010-04-01/"

#: How many processes lead, be it the sweep or anything else.
LEADERS = """
SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND d.datname = current_database()
"""

#: The command with which a worker tells Redis that a message is done.
ACK = b"$3\r\nack\r\n"


def test_01_killed_before_the_claim_is_committed(play: Play) -> None:
    trap = play.stage.postgres_proxy.trap(begins(CLAIM), COMMIT, strike=Strike.STALL, moment=Moment.BEFORE)
    play.enroll(count=5)
    workers = play.stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    workers.kill(victim)
    play.until(sent=5)
    play.judge(once=5)
    assert play.query("SELECT DISTINCT fence FROM outbox") == [(2,)]  # the claim that was lost left no trace


def test_02_killed_after_the_claim_and_before_the_hand_over(play: Play) -> None:
    """Claimed, and the attempt not written: no doubt at all, so it goes out within the lease and one sweep."""
    trap = play.stage.postgres_proxy.trap(begins(CLAIM), COMMIT, strike=Strike.STALL)
    play.enroll(count=5)
    workers = play.stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    workers.kill(victim)
    play.until(sent=5)
    play.judge(once=5)
    assert play.query("SELECT count(*) FROM attempts") == [(5,)]


def test_02_killed_after_the_attempt_is_written_and_before_connecting(play: Play) -> None:
    """The hand-over may have begun: unknown, then looked up twice in vain, then sent."""
    trap = play.stage.postgres_proxy.trap(begins(BEGIN), COMMIT, strike=Strike.STALL)
    play.enroll()
    workers = play.stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    workers.kill(victim)
    play.until(unknown=1)
    play.until(sent=1)
    play.judge(once=1)
    assert play.query("SELECT outcome, looks FROM attempts ORDER BY fence") == [("unanswered", 2), ("accepted", 0)]


@pytest.mark.parametrize("callbacks", [False, True], ids=["by look-up", "by callback"])
def test_03_killed_while_the_provider_accepts(play: Play, callbacks: bool) -> None:
    if callbacks:
        play.stage.api()
    trap = play.stage.sms_proxy.trap(POST, strike=Strike.STALL)
    play.enroll()
    workers = play.stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    workers.kill(victim)
    play.until(sent=1)
    play.judge(once=1)


def test_04_killed_after_the_answer_and_before_it_is_stored(play: Play) -> None:
    trap = play.stage.postgres_proxy.trap(begins(SETTLE), strike=Strike.STALL, moment=Moment.BEFORE)
    play.enroll(count=3)
    workers = play.stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    workers.kill(victim)
    play.until(sent=3)
    play.judge(once=3)
    accepted = {entry.id for entry in play.accepted()}
    assert {sid for (sid,) in play.query("SELECT provider_id FROM outbox")} == accepted


def test_05_killed_after_it_is_stored_and_before_the_message_is_acknowledged(play: Play) -> None:
    trap = play.stage.redis_proxy.trap(ACK, strike=Strike.STALL, moment=Moment.BEFORE)
    play.enroll(count=3)
    workers = play.stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    play.until(sent=3)
    workers.kill(victim)
    assert redeliver(play) > 0
    wait_for(lambda: play.stage.redis.llen(QUEUE) == 0 and not unacknowledged(play), "it is looked at again")
    play.judge(once=3)


def test_06_told_to_end_with_eight_in_flight(play: Play) -> None:
    trap = play.stage.sms_proxy.trap(POST, strike=Strike.STALL, times=8)
    play.enroll(count=20)
    workers = play.stage.workers(in_flight=8, lease_seconds=60)
    workers.wait_for_children()
    assert trap.wait(60)
    workers.process.terminate()
    wait_for(lambda: play.query(LEADERS) == [(0,)], "it ends: it does not lead any more")
    play.stage.sms_proxy.release()
    assert workers.terminate() == 0
    left = play.statuses()
    assert left["sent"] >= 8
    assert set(left) <= {"sent", "pending"}
    play.stage.sms_proxy.disarm()
    play.stage.workers()
    play.until(sent=20)
    play.judge(once=20)
    assert play.query("SELECT count(*) FROM attempts WHERE outcome = 'unanswered'") == [(0,)]


@pytest.mark.parametrize("leads", [False, True], ids=["a follower", "the leader"])
def test_07_stopped_beyond_its_lease_and_going_on_within_the_grace(play: Play, leads: bool) -> None:
    """Others note that its row is in doubt. What it writes late is refused by the fence, and kept as evidence."""
    stage = play.stage
    trap = stage.sms_proxy.trap(POST, strike=Strike.STALL)
    first = stage.workers(reconcile_grace_seconds=3_600)
    (leader,) = first.wait_for_children()
    wait_for(lambda: "leading the sweep" in first.log.read_text(), "the first leads")
    second = stage.workers(reconcile_grace_seconds=3_600)
    (follower,) = second.wait_for_children()
    workers, victim, idle, other = (first, leader, second, follower) if leads else (second, follower, first, leader)
    idle.freeze(other)  # so that the victim gets the work
    play.enroll()
    assert trap.wait(60)
    workers.freeze(victim)
    idle.thaw(other)
    play.until(unknown=1)
    stage.sms_proxy.release()
    workers.thaw(victim)
    play.until(sent=1)
    play.judge(once=1)


def test_07_stopped_beyond_the_grace(play: Play) -> None:
    """Nothing on our side can help: the provider can't be told to refuse the late one. At most two, and alerted."""
    stage = play.stage
    trap = stage.sms_proxy.trap(POST, strike=Strike.STALL, moment=Moment.BEFORE)
    play.enroll()
    workers = stage.workers()
    (victim,) = workers.wait_for_children()
    assert trap.wait(60)
    workers.freeze(victim)
    others = stage.workers()
    play.until(sent=1)
    assert len(play.accepted()) == 1
    stage.sms_proxy.release()
    wait_for(lambda: len(play.accepted()) == 2, "the late one arrives")
    workers.thaw(victim)
    wait_for(lambda: "duplicate detected" in workers.log.read_text() + others.log.read_text(), "it is alerted")
    assert len(play.accepted()) == 2


def unacknowledged(play: Play) -> list[bytes]:
    """The keys of messages that were fetched and not acknowledged."""
    return list(play.stage.redis.scan_iter("cadenza:__acks__.*"))


def redeliver(play: Play) -> int:
    """Queue what dead workers had fetched, as dramatiq's maintenance does after a minute; tell how many."""
    count = 0
    for key in unacknowledged(play):
        for message in play.stage.redis.smembers(key):
            count += play.stage.redis.rpush(QUEUE, message) > 0
        play.stage.redis.delete(key)
    return count


@pytest.mark.parametrize("callbacks", [False, True], ids=["by look-up", "by callback"])
def test_26_killed_with_a_hundred_claimed_and_ten_in_flight(play: Play, callbacks: bool) -> None:
    """Ninety go out within the lease and one sweep, ten are resolved; none twice."""
    stage = play.stage
    if callbacks:
        stage.api()
    stage.wakeups.schedule(play.fill(100))
    trap = stage.sms_proxy.trap(POST, strike=Strike.STALL, times=10)
    first = stage.workers(in_flight=10, lease_seconds=10)
    (victim,) = first.wait_for_children()
    assert trap.wait(60)
    wait_for(lambda: play.statuses()["sending"] == 100, "all are claimed")
    ((lease_until,),) = play.query("SELECT max(lease_until) FROM outbox")
    first.kill(victim)
    wait_for(lambda: play.statuses()["sent"] >= 90, "ninety are sent")
    ((late,),) = play.query(
        "SELECT extract(epoch FROM max(started_at) - %s)::float8 FROM attempts"
        " WHERE outbox_id NOT IN (SELECT outbox_id FROM attempts WHERE started_at < %s)",
        lease_until,
        lease_until,
    )
    assert late < stage.settings.sweep_seconds + 5
    play.until(sent=100)
    play.judge(once=100)
    assert play.query("SELECT count(*) FROM attempts") == [(100,)]
