-- tick: the heartbeat of an engine; takes over from dead engines and claims
-- what is due.
--
-- KEYS  engines, own set of this engine, due set, dead set
-- ARGV  engine id, "join" or "stay", ms of silence after which an engine is
--       dead, most deliveries to claim, prefix of the engines' own sets
-- Gives { claimed keys, ms until the next one is due (-1: none), size of the due
-- set, size of the dead set, number of engines }.
-- STALE: "stay", but this engine is not known: it was declared dead, or Redis lost
-- its data. It drops what it holds and joins anew.
--
-- An own set is named by the engine it belongs to, so those of dead engines are
-- keys that KEYS does not list; all share one hash tag and so one slot.

local engine, mode = ARGV[1], ARGV[2]
local dead_ms, most, own_prefix = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local MOVE = 1000                   -- members per command; Lua's unpack has a limit

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)

if mode == 'stay' and not redis.call('ZSCORE', KEYS[1], engine) then
  return redis.error_reply('STALE engine ' .. engine)
end
redis.call('ZADD', KEYS[1], now_ms, engine)

-- All of it at once: an engine that woke up half robbed would go on with the rest (I3).
for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms - dead_ms)) do
  while other ~= engine do
    local orphans = redis.call('SPOP', own_prefix .. other, MOVE)
    if #orphans == 0 then
      redis.call('ZREM', KEYS[1], other)
      break
    end
    local due = {}
    for _, delivery in ipairs(orphans) do
      due[#due + 1] = now_ms
      due[#due + 1] = delivery
    end
    redis.call('ZADD', KEYS[3], unpack(due))
  end
end

local claimed = {}
if most > 0 then
  claimed = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now_ms, 'LIMIT', 0, most)
  if #claimed > 0 then
    redis.call('ZREM', KEYS[3], unpack(claimed))
    redis.call('SADD', KEYS[2], unpack(claimed))
  end
end

local wait_ms = -1
local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if first[2] then wait_ms = math.max(0, math.floor(tonumber(first[2]) - now_ms)) end
return { claimed, wait_ms, redis.call('ZCARD', KEYS[3]), redis.call('ZCARD', KEYS[4]),
         redis.call('ZCARD', KEYS[1]) }
