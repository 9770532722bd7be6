"""News of wake-ups: nobody polls for what another process has scheduled or promoted."""

import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import dramatiq
import pytest
import redis
from stage_site import Site, wait_for

from engine.broker import Broker
from engine.clock import REFRESH_SECONDS, SequenceClock
from engine.database import Database
from engine.wakeups import Wakeups
from engine.wakeups.news import CHANNEL, DUE, QUEUED, News
from engine.wakeups.wakeups import SWEPT
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE
from workers.loop import Loop
from workers.promoter import Promoter

NOW = 1_800_000_000.0

#: Real seconds after which a wait for news has failed; and for which nothing comes.
PATIENCE = 30.0
MOMENT = 0.2

#: Longer than any test waits: only news ends it.
FOR_EVER = 3_600_000


@pytest.fixture
def wakeups(redis_url: str) -> Iterator[Wakeups]:
    wakeups = Wakeups(redis_url)
    yield wakeups
    wakeups.close()


@pytest.fixture
def heard(redis_url: str) -> Iterator["SimpleQueue[str]"]:
    """The news, one after the other, from when the subscription stands."""
    heard: SimpleQueue[str] = SimpleQueue()
    news = News(redis_url, {DUE: lambda: heard.put(DUE), QUEUED: lambda: heard.put(QUEUED)})
    assert [heard.get(timeout=PATIENCE), heard.get(timeout=PATIENCE)] == [DUE, QUEUED]
    yield heard
    news.stop()


def nothing_more(heard: "SimpleQueue[str]") -> bool:
    try:
        heard.get(timeout=MOMENT)
    except Empty:
        return True
    return False


@pytest.mark.parametrize("add", [Wakeups.schedule, Wakeups.retry])
def test_a_wake_up_before_all_others_is_news(
    wakeups: Wakeups, heard: "SimpleQueue[str]", add: Callable[..., int]
) -> None:
    add(wakeups, [(NOW + 60, [1])])
    assert heard.get(timeout=PATIENCE) == DUE
    add(wakeups, [(NOW + 90, [2]), (NOW + 30, [3])])
    assert heard.get(timeout=PATIENCE) == DUE
    add(wakeups, [(NOW + 60, range(4, 3_000))])
    assert nothing_more(heard)


def test_a_queue_that_was_empty_is_news(wakeups: Wakeups, heard: "SimpleQueue[str]") -> None:
    wakeups.schedule([(NOW, [1]), (NOW + 1, [2])])
    assert heard.get(timeout=PATIENCE) == DUE
    wakeups.promote(NOW, NOW)
    assert heard.get(timeout=PATIENCE) == QUEUED
    wakeups.promote(NOW + 1, NOW)
    wakeups.promote(NOW + 2, NOW)
    assert nothing_more(heard)


def test_after_a_lost_connection_everything_is_looked_at(heard: "SimpleQueue[str]", redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.client_kill_filter(_type="pubsub")
        assert [heard.get(timeout=PATIENCE), heard.get(timeout=PATIENCE)] == [DUE, QUEUED]
        client.publish(CHANNEL, QUEUED)
    assert heard.get(timeout=PATIENCE) == QUEUED


class Asleep(SequenceClock):
    """A clock that never gets old: nothing but news ends a nap."""

    def stale_in(self) -> float:
        """For ever."""
        return float(FOR_EVER)


def test_what_another_process_schedules_for_now_is_promoted_at_once(
    wakeups: Wakeups, redis_url: str, database: Database
) -> None:
    clock = Asleep(database)
    wakeups.schedule([(clock.now() + FOR_EVER, [1])])
    promoting = Loop("promote", Promoter(wakeups, clock).turn)
    news = News(redis_url, {DUE: promoting.wake, QUEUED: lambda: None})
    time.sleep(MOMENT)  # it naps until the first wake-up is due
    elsewhere = Wakeups(redis_url)
    elsewhere.schedule([(clock.now(), [2])])
    wait_for(lambda: elsewhere.counts() == {"waiting": 1, "retrying": 0, "queued": 1}, "it is promoted")
    promoting.stop()
    news.stop()
    elsewhere.close()


def test_a_nap_ends_before_the_clock_is_old(wakeups: Wakeups, database: Database) -> None:
    """So that a sequence clock that was moved is noticed within a second, and dispatch that opens."""
    promoter = Promoter(wakeups, SequenceClock(database))
    assert 0 < promoter.turn(Event()) <= REFRESH_SECONDS < 1
    with database.transaction() as session:
        session.execute("UPDATE dispatch SET open_until = now()")
    assert 0 < Promoter(wakeups, SequenceClock(database)).turn(Event()) <= REFRESH_SECONDS


def test_a_consumer_sleeps_until_there_is_a_message_or_room_for_one(wakeups: Wakeups, redis_url: str) -> None:
    broker = Broker(redis_url)
    dramatiq.actor(actor_name=DELIVER_ACTOR, queue_name=DELIVERY_QUEUE, broker=broker)(print)
    consumer = broker.consume(DELIVERY_QUEUE, prefetch=1, timeout=FOR_EVER)
    taken: SimpleQueue[Any] = SimpleQueue()
    reader = Thread(target=_read, args=(consumer, taken), daemon=True)
    reader.start()
    wakeups.schedule([(NOW, range(1, 201))])
    wakeups.promote(NOW, NOW)
    broker.arrived.set()
    first = taken.get(timeout=PATIENCE)
    assert len(first.args[0]) == 100
    assert taken.empty()
    consumer.ack(first)
    assert not set(taken.get(timeout=PATIENCE).args[0]) & set(first.args[0])
    reader.join(PATIENCE)
    broker.client.close()


def _read(consumer: Any, taken: "SimpleQueue[Any]") -> None:
    """Read two messages."""
    left = 2
    while left:
        message = next(consumer)
        if message is not None:
            taken.put(message)
            left -= 1


def test_an_idle_process_asks_redis_a_few_times_a_second(site: Site, redis_url: str) -> None:
    """Two looks at the queue, one and a third at the wake-ups, and the leader's heartbeat: it was seventy."""
    with site.working(), redis.Redis.from_url(redis_url) as client:
        wait_for(lambda: client.get(SWEPT) is not None, "it leads")
        client.config_resetstat()
        started = time.monotonic()
        while client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"] < 20:
            time.sleep(MOMENT)
        assert time.monotonic() - started > 20 / 10
