"""Scenarios 8 to 13: Redis flushed, killed, stalled, full and read-only; hints doubled and lost."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import redis
from dramatiq import Message
from stage import Play, run, wait_for

from deploy.chaos.servers import OwnServers
from deploy.chaos.trap import Moment, Strike
from engine.broker import Broker
from engine.wakeups.wakeups import QUEUE, WAITING
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE

#: Real seconds for which Redis is away during enrollment. Scenario 10 says ten minutes: set 600 for that.
AWAY_SECONDS = float(os.environ.get("CADENZA_TEST_AWAY_SECONDS", "15"))

#: What the promotion of wake-ups names first.
PROMOTE = b"cadenza:wakeups"


def test_08_flushed_with_ten_thousand_pending(play: Play) -> None:
    stage = play.stage
    play.fill(10_000)
    workers = stage.workers(2)
    workers.wait_for_children()
    wait_for(lambda: play.statuses()["sent"] >= 500, "it has begun")
    stage.redis.flushall()
    play.until(sent=10_000)
    play.judge(once=10_000)
    ((late,),) = play.query("SELECT max(lateness_seconds) FROM attempts")
    assert late < stage.settings.sweep_seconds + 30


def test_09_killed_for_25_seconds_while_hints_are_held(play: Play, own: OwnServers) -> None:
    stage = play.stage
    workers = stage.workers(2)
    before = workers.wait_for_children()
    play.enroll("steps", count=50)
    play.until(sent=50, pending=100)
    play.jump(1)
    stage.redis_proxy.refuse()
    own.kill_redis()
    time.sleep(25)  # the scenario: so long is Redis away
    stage.redis_proxy.accept()
    play.until(sent=100, pending=50)
    play.jump(1.1)
    play.until(sent=150)
    play.judge(once=150)
    assert workers.children() == before


def test_10_away_during_enrollment(play: Play) -> None:
    """Whoever enrolls is told that it is done, and all of it goes out once Redis is back."""
    stage = play.stage
    workers = stage.workers()
    before = workers.wait_for_children()
    stage.redis_proxy.refuse()
    ends = time.monotonic() + AWAY_SECONDS
    count = 0
    while count < 3 or time.monotonic() < ends:
        count += 1
        event = play.next_event("sms")
        said = run(stage, "publish", "sms", "--phone", str(event.phone), "--external-id", str(event.external_id))
        assert said.returncode == 0, said.stderr
    people = stage.folder / "people.csv"
    people.write_text("external_id,phone\n" + "".join(f"csv{n},+1{2025550000 + n}\n" for n in range(100)))
    said = run(stage, "enroll", "sms", str(people))
    assert said.returncode == 0, said.stderr
    assert "sweeper makes up" in said.stderr or "nothing is lost" in said.stderr
    stage.redis_proxy.accept()
    play.until(sent=count + 100)
    play.judge(once=count + 100)
    assert workers.children() == before


def test_11_stalled_for_20_seconds_then_full_then_read_only(play: Play) -> None:
    stage = play.stage
    workers = stage.workers()
    before = workers.wait_for_children()
    play.enroll(count=5)
    play.until(sent=5)
    stage.redis_proxy.stall()
    play.enroll(count=5)
    time.sleep(20)  # the scenario: so long is it stalled
    stage.redis_proxy.release()
    play.until(sent=10)
    for number, refusing in enumerate((full, read_only), start=3):
        with refusing(stage.redis) as complaint:
            play.enroll(count=5)
            wait_for(lambda said=complaint: said in workers.log.read_text(), "it is refused")  # type: ignore[misc]
        play.until(sent=5 * number)
    play.judge(once=20)
    assert workers.children() == before


@contextmanager
def full(client: "redis.Redis") -> Iterator[str]:
    """Redis refuses every write for want of memory; gives what it says."""
    client.config_set("maxmemory", "1")
    try:
        yield "command not allowed when used memory"
    finally:
        client.config_set("maxmemory", "0")


@contextmanager
def read_only(client: "redis.Redis") -> Iterator[str]:
    """Redis is a replica, of nobody who answers; gives what it says."""
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield "read only replica"
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


def test_12_one_hint_delivered_fifty_times_to_eight_workers(play: Play) -> None:
    stage = play.stage
    play.enroll_many(20)
    ids = [row_id for (row_id,) in play.query("SELECT id FROM outbox")]
    broker = Broker(stage.redis_url)
    for _ in range(50):
        broker.enqueue(Message(DELIVERY_QUEUE, DELIVER_ACTOR, ([*ids],), {}, {}, str(uuid4())))
    broker.close()
    workers = stage.workers(2, threads=4)
    workers.wait_for_children()
    play.until(sent=20)
    wait_for(lambda: stage.redis.llen(QUEUE) == 0, "all hints are looked at")
    play.judge(once=20)


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED])
def test_13_the_promoter_is_killed_in_the_middle_of_a_batch(play: Play, moment: Moment) -> None:
    """Before or after its script has run: there is no between. Every row that is still to go has its hint."""
    stage = play.stage
    workers = stage.workers()
    (victim,) = workers.wait_for_children()
    workers.freeze(victim)
    stage.wakeups.schedule([(0.0, [row_id for _, ids in play.fill(1_500) for row_id in ids])])
    trap = stage.redis_proxy.trap(PROMOTE, strike=Strike.STALL, moment=moment)
    workers.thaw(victim)
    assert trap.wait(60)
    workers.kill(victim)
    hints = all_hints(play)
    pending = {row_id for (row_id,) in play.query("SELECT id FROM outbox WHERE status = 'pending'")}
    assert pending <= hints
    play.until(sent=1_500)
    play.judge(once=1_500)


def all_hints(play: Play) -> set[int]:
    """The rows that Redis knows of: in wake-ups, and in messages that were not acknowledged."""
    messages = play.stage.redis.hvals(f"{QUEUE}.msgs")
    queued = {row_id for message in messages for row_id in json.loads(message)["args"][0]}
    return queued | {int(row_id) for row_id in play.stage.redis.zrange(WAITING, 0, -1)}
