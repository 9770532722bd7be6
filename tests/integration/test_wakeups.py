"""Wake-ups: scheduled, promoted when due and not before, many to one message, and all of it dispensable."""

import json
import time

import pytest
import redis

from engine.broker import Broker
from engine.errors import InvalidInput
from engine.wakeups import Wakeups, WakeupsUnavailable
from engine.wakeups.wakeups import QUEUE
from schema.messages import DELIVER_ACTOR, DELIVERY_QUEUE, ROWS_PER_MESSAGE

NOW = 1_800_000_000.0


@pytest.fixture
def wakeups(redis_url: str) -> Wakeups:
    return Wakeups(redis_url)


def queued(redis_url: str) -> list[list[int]]:
    """The row ids of each message on the queue, in order."""
    with redis.Redis.from_url(redis_url) as client:
        return [
            json.loads(client.hget(f"{QUEUE}.msgs", message) or b"")["args"][0]
            for message in client.lrange(QUEUE, 0, -1)
        ]


def test_what_is_due_is_promoted_in_order_and_the_rest_stays(wakeups: Wakeups, redis_url: str) -> None:
    wakeups.schedule([(NOW + 10, [3]), (NOW - 1, [2]), (NOW - 5, [1])])
    promotion = wakeups.promote(NOW, NOW)
    assert (promotion.moved, promotion.next_sequence, promotion.next_real) == (2, NOW + 10, None)
    assert queued(redis_url) == [[1, 2]]
    assert wakeups.counts() == {"waiting": 1, "retrying": 0, "queued": 1}


def test_a_message_names_up_to_a_hundred_rows(wakeups: Wakeups, redis_url: str) -> None:
    wakeups.schedule([(NOW, range(1, 251))])
    assert wakeups.promote(NOW, NOW).moved == 250
    assert [len(rows) for rows in queued(redis_url)] == [ROWS_PER_MESSAGE, ROWS_PER_MESSAGE, 50]


def test_retries_wait_in_real_time(wakeups: Wakeups) -> None:
    wakeups.retry([(NOW + 60, [1])])
    assert wakeups.promote(NOW + 86_400, NOW).moved == 0
    assert wakeups.promote(NOW, NOW + 60).moved == 1


def test_scheduling_again_moves_the_wake_up(wakeups: Wakeups) -> None:
    wakeups.schedule([(NOW, [1])])
    wakeups.schedule([(NOW + 60, [1])])
    assert wakeups.promote(NOW, NOW).moved == 0
    assert wakeups.counts()["waiting"] == 1


def test_far_wake_ups_do_not_hold_up_one_that_is_due(wakeups: Wakeups, redis_url: str) -> None:
    wakeups.schedule([(NOW + day * 86_400, range(day * 10_000, day * 10_000 + 5_000)) for day in range(1, 15)])
    wakeups.schedule([(NOW, [7])])
    assert wakeups.promote(NOW, NOW).moved == 1
    assert queued(redis_url) == [[7]]


def test_a_waiting_step_costs_hardly_more_than_a_member_of_a_sorted_set(wakeups: Wakeups, redis_url: str) -> None:
    """What a member costs differs between servers: Redis 7.0 takes about 100 bytes, Valkey 75."""
    with redis.Redis.from_url(redis_url) as client:
        empty = client.info("memory")["used_memory"]
        client.zadd("plain", {str(number): NOW + number // 1_000 * 60 for number in range(50_000)})
        plain = client.info("memory")["used_memory"] - empty
        client.delete("plain")
        before = client.info("memory")["used_memory"]
        wakeups.schedule([(NOW + minute * 60, range(minute * 1_000, minute * 1_000 + 1_000)) for minute in range(50)])
        used = client.info("memory")["used_memory"] - before
    assert used <= 1.1 * plain


def test_dramatiq_reads_the_messages(wakeups: Wakeups, redis_url: str) -> None:
    wakeups.schedule([(NOW, [1, 2])])
    wakeups.promote(NOW, NOW)
    broker = Broker(redis_url)
    broker.declare_queue(DELIVERY_QUEUE)
    assert broker.delay_queues == set()
    message = next(broker.consume(DELIVERY_QUEUE, timeout=1_000))
    assert message is not None
    assert (message.actor_name, list(message.args)) == (DELIVER_ACTOR, [[1, 2]])
    broker.close()
    broker.client.close()


def test_the_broker_refuses_a_delay(redis_url: str) -> None:
    broker = Broker(redis_url)
    with pytest.raises(ValueError, match="wake-ups"):
        broker.enqueue(None, delay=1)  # type: ignore[arg-type]
    broker.client.close()


def test_a_flushed_redis_is_used_again_at_once(wakeups: Wakeups, redis_url: str) -> None:
    wakeups.schedule([(NOW, [1])])
    wakeups.promote(NOW, NOW)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        client.script_flush()
    wakeups.schedule([(NOW, [2])])
    assert wakeups.promote(NOW, NOW).moved == 1
    assert queued(redis_url) == [[2]]


def test_an_unreachable_redis_is_one_clear_error() -> None:
    wakeups = Wakeups("redis://127.0.0.1:1/0")
    started = time.monotonic()
    with pytest.raises(WakeupsUnavailable, match="Redis"):
        wakeups.schedule([(NOW, [1])])
    assert time.monotonic() - started < 60


def test_a_url_that_cannot_be_read_names_its_variable() -> None:
    with pytest.raises(InvalidInput, match="CADENZA_REDIS_URL"):
        Wakeups("http://127.0.0.1")
