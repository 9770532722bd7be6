"""What Redis knows of outbox rows: wake-ups, and messages that were queued or fetched."""

import json

from stage import Play

from engine.wakeups.wakeups import QUEUE, WAITING


def all_hints(play: Play) -> set[int]:
    """The rows that Redis knows of: in wake-ups, and in messages that were not acknowledged."""
    redis = play.stage.redis
    queued = {row_id for message in redis.hvals(f"{QUEUE}.msgs") for row_id in json.loads(message)["args"][0]}
    return queued | {int(row_id) for row_id in redis.zrange(WAITING, 0, -1)}


def unacknowledged(play: Play) -> list[bytes]:
    """The keys of messages that were fetched and not acknowledged."""
    return list(play.stage.redis.scan_iter("{cadenza}:__acks__.*"))


def redeliver(play: Play) -> int:
    """Queue what dead workers had fetched, as dramatiq's maintenance does after a minute; tell how many."""
    count = 0
    for key in unacknowledged(play):
        for message in play.stage.redis.smembers(key):
            count += play.stage.redis.rpush(QUEUE, message) > 0
        play.stage.redis.delete(key)
    return count
