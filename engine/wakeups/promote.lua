-- promote(
--   keys=[waiting, retrying, queue, queue_messages],
--   args=[sequence_now, real_now, limit, rows_per_message, queue_name, actor_name, message_id_prefix, timestamp_ms,
--       channel]
-- )
-- Moves wake-ups that are due to the work queue, many to one message, as one step: nothing is lost or doubled
-- between the two. Publishes when the queue was empty: consumers that found nothing wait for that. Uses ZRANGEBYSCORE,
-- ZRANGE, ZREM, LLEN, HSET, RPUSH and PUBLISH.
--
-- waiting:  sorted set of row ids by due time, in seconds of sequence time
-- retrying: sorted set of row ids by the end of their back-off, in seconds of real time
--
-- Returns [moved, next due time of waiting or "", next of retrying or ""].

local limit = tonumber(ARGV[3])
local per_message = tonumber(ARGV[4])

local function take(key, now, most)
    if most <= 0 then return {} end
    local ids = redis.call("ZRANGEBYSCORE", key, "-inf", now, "LIMIT", 0, most)
    for first = 1, #ids, 1000 do
        redis.call("ZREM", key, unpack(ids, first, math.min(first + 999, #ids)))
    end
    return ids
end

local function next_of(key)
    local head = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")
    return head[2] or ""
end

local ids = take(KEYS[2], ARGV[2], limit)
for _, id in ipairs(take(KEYS[1], ARGV[1], limit - #ids)) do
    ids[#ids + 1] = id
end

local was_empty = #ids > 0 and redis.call("LLEN", KEYS[3]) == 0

for first = 1, #ids, per_message do
    local message_id = ARGV[7] .. "-" .. first
    local rows = table.concat(ids, ",", first, math.min(first + per_message - 1, #ids))
    local message = '{"queue_name":"' .. ARGV[5] .. '","actor_name":"' .. ARGV[6] .. '","args":[[' .. rows
        .. ']],"kwargs":{},"options":{"redis_message_id":"' .. message_id .. '"},"message_id":"' .. message_id
        .. '","message_timestamp":' .. ARGV[8] .. '}'
    redis.call("HSET", KEYS[4], message_id, message)
    redis.call("RPUSH", KEYS[3], message_id)
end

if was_empty then
    redis.call("PUBLISH", ARGV[9], "queued")
end

return {#ids, next_of(KEYS[1]), next_of(KEYS[2])}
