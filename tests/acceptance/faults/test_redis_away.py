"""Scenarios 8 to 12: Redis flushed, killed, away, stalled, full and read-only; one hint delivered again and again.

All of them happen to the same two worker processes, and none of these is started anew.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
import redis
from dramatiq import Message
from group import Group, enroll_together
from stage import FULL, Play, run, wait_for

from deploy.chaos.children import Workers
from deploy.chaos.servers import OwnServers
from engine.broker import Broker
from engine.wakeups.wakeups import QUEUE
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE

#: Pending rows when Redis is flushed, and real seconds for which it is away and for which it is stalled.
PENDING = 10_000 if FULL else 1_500
AWAY_SECONDS = 600.0 if FULL else 25.0
STALLED_SECONDS = 20.0 if FULL else 7.0

#: Real seconds after a sweep by which what was due has gone out.
MARGIN = 30.0

LATER = 'sequence: later\nsteps: [{key: only, type: sms, delay: 1 day, body: "Later, {{ contact.external_id }}"}]'

pytestmark = pytest.mark.timeout(300 + 2 * AWAY_SECONDS)


@pytest.fixture(scope="module")
def workers(shared_play: Play) -> Workers:
    """Two processes with four threads each."""
    shared_play.publish(LATER)
    workers = shared_play.stage.workers(2, threads=4)
    workers.wait_for_children()
    wait_for(lambda: "leading the sweep" in workers.log.read_text(), "they work")
    return workers


@pytest.fixture(autouse=True)
def nothing_is_restarted(workers: Workers) -> Iterator[None]:
    """Whatever happened, the same two processes work on."""
    before = workers.children()
    yield
    assert (workers.running, workers.children()) == (True, before)


def test_08_flushed_with_many_pending(shared_play: Play) -> None:
    """What is due goes out within a sweep, and so does what falls due later, whose hints are lost as well."""
    stage = shared_play.stage
    later = enroll_together(shared_play, PENDING * 2 // 3, "later")
    due = enroll_together(shared_play, PENDING // 3)
    wait_for(lambda: due.statuses()["sent"] >= 50, "it has begun")
    stage.redis.flushall()
    due.judge()
    shared_play.jump(1.1)
    later.judge()
    late = max(seconds for group in (due, later) for (seconds,) in group.attempts("lateness_seconds"))
    assert late < stage.settings.sweep_seconds + MARGIN


@dataclass(frozen=True)
class Outage:
    """What was there when Redis went, and what came while it was away."""

    held: Group
    enrolled: Group


@pytest.fixture(scope="module")
def outage(own: OwnServers, shared_play: Play, workers: Workers) -> Outage:
    """Redis is killed and stays away: hints fall due that it holds, and people are enrolled."""
    stage = shared_play.stage
    held = enroll_together(shared_play, 100, "later")
    stage.redis_proxy.refuse()
    own.kill_redis()
    back_at = time.monotonic() + AWAY_SECONDS
    shared_play.jump(1.1)
    people = stage.folder / "people.csv"
    people.write_text("external_id,phone\n" + "".join(f"csv{n},+1{2025550000 + n}\n" for n in range(100)))
    require_success(shared_play, "enroll", "sms", str(people))
    count = 0
    while count < 3 or time.monotonic() < back_at:
        count += 1
        event = shared_play.next_event("sms")
        require_success(
            shared_play, "publish", "sms", "--phone", str(event.phone), "--external-id", str(event.external_id)
        )
        time.sleep(AWAY_SECONDS / 50)  # so that it is some tens, however long that is
    rows = shared_play.query("SELECT id FROM outbox WHERE id > %s ORDER BY id", held.rows[-1])
    enrolled = Group(shared_play, [row_id for (row_id,) in rows])
    assert (len(rows), enrolled.statuses(), held.statuses()) == (
        count + 100,
        {"pending": count + 100},
        {"pending": 100},
    )
    stage.redis_proxy.accept()
    return Outage(held, enrolled)


def require_success(play: Play, *arguments: str) -> None:
    """Whoever enrolls is told that it is done, and that Redis is away."""
    said = run(play.stage, *arguments)
    assert said.returncode == 0, said.stderr
    assert "Redis" in said.stderr


def test_09_killed_and_away_while_hints_are_held(outage: Outage) -> None:
    outage.held.judge()


def test_10_away_during_enrollment(outage: Outage) -> None:
    outage.enrolled.judge()


def test_11_stalled(shared_play: Play) -> None:
    """Longer than its clients wait for it."""
    stage = shared_play.stage
    stage.redis_proxy.stall()
    group = enroll_together(shared_play, 20)
    time.sleep(STALLED_SECONDS)  # the scenario: so long is it stalled
    assert group.statuses() == {"pending": 20}
    stage.redis_proxy.release()
    group.judge()


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


@pytest.mark.parametrize("refusing", [full, read_only])
def test_11_it_takes_no_writes(
    shared_play: Play, workers: Workers, refusing: "Callable[[redis.Redis], AbstractContextManager[str]]"
) -> None:
    with refusing(shared_play.stage.redis) as complaint:
        shared_play.enroll(count=20)
        wait_for(lambda: complaint in workers.log.read_text(), "it is refused")
        rows = shared_play.query("SELECT id FROM outbox ORDER BY id DESC LIMIT 20")
        group = Group(shared_play, sorted(row_id for (row_id,) in rows))
        assert group.statuses() == {"pending": 20}
    group.judge()


def test_12_one_hint_delivered_fifty_times_to_eight_workers(shared_play: Play, workers: Workers) -> None:
    stage = shared_play.stage
    for pid in workers.children():
        workers.freeze(pid)  # so that all of them find all of it
    group = enroll_together(shared_play, 20, hinted=False)
    broker = Broker(stage.redis_url)
    for _ in range(50):
        broker.enqueue(Message(DELIVERY_QUEUE, DELIVER_ACTOR, ([*group.rows],), {}, {}, str(uuid4())))
    broker.close()
    for pid in workers.children():
        workers.thaw(pid)
    wait_for(lambda: stage.redis.llen(QUEUE) == 0, "all hints are looked at")
    group.judge()
    assert group.attempts("outcome") == [("accepted",)] * 20
