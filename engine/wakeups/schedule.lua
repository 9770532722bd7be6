-- schedule(
--   keys=[set],
--   args=[channel, earliest, score, id, score, id, ...]
-- )
-- Adds wake-ups, or moves them. Publishes when one of them comes before all that waited: promoters nap until the
-- wake-up that was the first when they looked. Uses ZRANGE, ZADD and PUBLISH.
--
-- set:      sorted set of row ids by due time or by the end of their back-off
-- earliest: the smallest of the scores

local first = redis.call("ZRANGE", KEYS[1], 0, 0, "WITHSCORES")[2]
for at = 3, #ARGV, 2000 do
    redis.call("ZADD", KEYS[1], unpack(ARGV, at, math.min(at + 1999, #ARGV)))
end
if not first or tonumber(ARGV[2]) < tonumber(first) then
    redis.call("PUBLISH", ARGV[1], "due")
end
