-- put: stores or removes one entry of what operators configured, and counts the change.
--
-- KEYS  the kind's hash, the changes; for a kind that leaves something elsewhere, the notes of it
-- ARGV  id, the entry's name among the changes, the revision that the change is based on
--       ("": any; "0": there must be none), engine, the value (none: it is removed)
-- Gives the new revision; where another change came first, { its revision, the value or nil }.
-- The changes are a sorted set of names by the revision in which each changed last, so that
-- an engine finds out what it has not seen yet; "- " stands before the name of one that was
-- removed. An entry that is in neither form was lost or is too old to be known: it may be
-- stored. The first revision is a time: after a loss no revision comes a second time.
-- A removal notes what is left to be forgotten, with the engine that is at it and since when
-- (note_take.lua); who stores has forgotten it before.

local KEEP = 100000

local id, name, base, engine, value = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local stale = '- ' .. name
local present = redis.call('ZSCORE', KEYS[2], name)
local known = present or (base ~= '0' and redis.call('ZSCORE', KEYS[2], stale))
if base ~= '' and known and tonumber(known) ~= tonumber(base) then
  return { known, redis.call('HGET', KEYS[1], id) }
end
if value then
  redis.call('HSET', KEYS[1], id, value)
  if KEYS[3] then redis.call('HDEL', KEYS[3], id) end
else
  redis.call('HDEL', KEYS[1], id)
  name, stale = stale, name
  if KEYS[3] then
    local t = redis.call('TIME')
    redis.call('HSET', KEYS[3], id,
      engine .. ' ' .. string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
  end
end
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local revision = tonumber(last[2] or redis.call('TIME')[1] * 1000) + 1
redis.call('ZREM', KEYS[2], stale)
redis.call('ZADD', KEYS[2], revision, name)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -KEEP - 1)
return revision
