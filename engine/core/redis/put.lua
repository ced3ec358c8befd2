-- put: stores or removes one entry of what operators configured, and counts the change.
--
-- KEYS  the kind's hash, the changes; for a kind that leaves something elsewhere, the notes of it
-- ARGV  id, the entry's name among the changes, engine, the value (none: it is removed)
-- Gives the new revision. The changes are a sorted set of names by the revision in which
-- each changed last, so that an engine finds out what it has not seen yet; "- " stands
-- before the name of one that was removed.
-- A removal notes what is left to be forgotten, with the engine that is at it and since when
-- (note_take.lua); who stores has forgotten it before.

local KEEP = 100000

local name, stale = ARGV[2], '- ' .. ARGV[2]
if ARGV[4] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[4])
  if KEYS[3] then redis.call('HDEL', KEYS[3], ARGV[1]) end
else
  redis.call('HDEL', KEYS[1], ARGV[1])
  name, stale = stale, name
  if KEYS[3] then
    local t = redis.call('TIME')
    redis.call('HSET', KEYS[3], ARGV[1],
      ARGV[3] .. ' ' .. string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
  end
end
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local revision = tonumber(last[2] or 0) + 1
redis.call('ZREM', KEYS[2], stale)
redis.call('ZADD', KEYS[2], revision, name)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -KEEP - 1)
return revision
