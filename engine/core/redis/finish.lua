#!lua flags=allow-oom
-- finish: writes how a batch of deliveries went and gives up their claims.
--
-- KEYS  engines, own set, due set, dead set, then per delivery: record key, log key
-- ARGV  engine id, seconds to keep a record, entries to keep in a log, then per
--       delivery: delivery key, record, verdict, delay in ms (retry only)
-- verdict: delivered, dead, cancelled, retry; "release" gives the delivery back
-- to the due set as it is, with no record written. A log keeps the place that a
-- delivery's first attempt got, so that its pages hold while others are tried again.
-- A delivery that this engine holds no claim on is passed over: its record was written
-- by a batch whose answer was lost, and another engine may be at it by now (I2).
-- Gives the number of deliveries. STALE: this engine was declared dead and others
-- have its deliveries now; nothing is written.

local engine, keep_s, keep_entries = ARGV[1], ARGV[2], tonumber(ARGV[3])
local beat = redis.call('ZSCORE', KEYS[1], engine)
if not beat then
  return redis.error_reply('STALE engine ' .. engine)
end

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
-- The clock was set back since the last heartbeat: the next one (tick.lua) takes the step from
-- all that is planned, so this is planned by the former clock as well.
local from_ms = math.max(now_ms, tonumber(beat))
local claims, due, dead, logs = {}, {}, {}, {}
local count = (#KEYS - 4) / 2
for i = 1, count do claims[i] = ARGV[i * 4] end
local held = redis.call('SMISMEMBER', KEYS[2], unpack(claims))

-- As a time and not as a wait, which Redis would write anew for its append-only file.
local end_ms = string.format('%.0f', now_ms + keep_s * 1000)

for i = 1, count do
  local at = i * 4
  local delivery, record, verdict = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if held[i] == 0 then verdict = 'none' end
  if verdict ~= 'release' and verdict ~= 'none' then
    if verdict == 'retry' then
      redis.call('SET', KEYS[3 + 2 * i], record)        -- it stays until the delivery ends
    else
      redis.call('SET', KEYS[3 + 2 * i], record, 'PXAT', end_ms)
    end
    local log = KEYS[4 + 2 * i]
    logs[log] = logs[log] or {}
    table.insert(logs[log], now_ms)
    table.insert(logs[log], delivery)
  end
  if verdict == 'retry' or verdict == 'release' then
    due[#due + 1] = from_ms + tonumber(ARGV[at + 3])
    due[#due + 1] = delivery
  elseif verdict == 'dead' then
    dead[#dead + 1] = now_ms
    dead[#dead + 1] = delivery
  end
end

redis.call('SREM', KEYS[2], unpack(claims))
if #due > 0 then redis.call('ZADD', KEYS[3], unpack(due)) end
-- What is kept ends with its event: an entry without a record can tell nothing.
local oldest_ms = now_ms - keep_s * 1000
if #dead > 0 then
  redis.call('ZADD', KEYS[4], unpack(dead))
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', oldest_ms)
end
-- Most logs only get their new entries: a batch may be about as many targets as deliveries, and
-- none may cost more than three commands (Q4). Each is cut to its bounds in one call of EVERY.
local EVERY = 8
local turn = tonumber(t[2]) % EVERY
for log, entries in pairs(logs) do
  redis.call('ZADD', log, 'NX', unpack(entries))
  turn = turn + 1
  if turn % EVERY == 0 then
    redis.call('ZREMRANGEBYSCORE', log, '-inf', oldest_ms)
    redis.call('ZREMRANGEBYRANK', log, 0, -keep_entries - 1)
    redis.call('EXPIRE', log, keep_s)
  end
end
return count
