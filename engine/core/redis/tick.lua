#!lua flags=allow-oom
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

-- Redis's clock was set back: what was planned by the former one would be late by so much,
-- and an engine that died before it would seem to live for as long. Deliveries keep their
-- distance (a step of STEP_MS at least: a second for a million of them), engines begin anew.
local STEP_MS = 1000
local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local back_ms = newest and tonumber(newest) - now_ms or 0
if back_ms > 0 then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now_ms, '+inf')) do
    redis.call('ZADD', KEYS[1], now_ms, other)
  end
end
if back_ms >= STEP_MS then
  local later = KEYS[3] .. ':later'
  redis.call('ZRANGESTORE', later, KEYS[3], '(' .. now_ms, '+inf', 'BYSCORE')
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '(' .. now_ms, '+inf')
  while true do
    local some = redis.call('ZPOPMIN', later, MOVE)
    if #some == 0 then break end
    local due = {}
    for i = 1, #some, 2 do
      due[i], due[i + 1] = some[i + 1] - back_ms, some[i]
    end
    redis.call('ZADD', KEYS[3], unpack(due))
  end
end

-- When no engine at all was heard of for a while, then Redis was away or its clock was set
-- forward. That is the silence of none of those that were heard of until then: each has as
-- long again to speak.
if newest and dead_ms > 0 and now_ms - tonumber(newest) >= dead_ms / 2 then
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], newest - dead_ms / 4, '+inf')) do
    redis.call('ZADD', KEYS[1], now_ms, other)
  end
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
