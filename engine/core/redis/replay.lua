-- replay: one step of a replay: what it chooses of a page becomes due, and the job goes on
-- behind the page; both or nothing (I9).
--
-- KEYS  the job, open jobs, engines, due set, dead set, then per candidate: event key,
--       record key
-- ARGV  engine id, job id, the place where the job must be, the place behind the page,
--       "more" or "end", events looked at, seconds to keep the job, prefix of the engines'
--       own sets, target id, then the candidates' delivery keys
-- A candidate is a delivery of an event that the target wants. One that is due or under
-- way is left alone (I2), as is one whose event is gone. Of the others, by their record:
--   failed: it ended dead or cancelled; missing: there is no record, or it was cancelled;
--   all: any of them.
-- A dry run chooses in the same way, and then only counts.
-- Gives the number of chosen ones; -1 when the job is no longer this engine's, has ended
-- or is elsewhere: nothing is written then.

local engine, id, target = ARGV[1], ARGV[2], ARGV[9]
local FIRST = 9
local count = #ARGV - FIRST
local job = redis.call('HMGET', KEYS[1], 'state', 'owner', 'cursor', 'only', 'dry_run')
local only, dry = job[4], job[5] == '1'
if job[1] ~= 'running' or job[2] ~= engine or job[3] ~= ARGV[3] or
   not redis.call('ZSCORE', KEYS[3], engine) then
  return -1
end

local deliveries, busy = {}, {}
for i = 1, count do deliveries[i] = ARGV[FIRST + i] end
if count > 0 then
  local due = redis.call('ZMSCORE', KEYS[4], unpack(deliveries))
  for i = 1, count do busy[i] = due[i] end
  for _, other in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    local held = redis.call('SMISMEMBER', ARGV[8] .. other, unpack(deliveries))
    for i = 1, count do busy[i] = busy[i] or held[i] == 1 end
  end
end

local function chosen(record)
  local status = record and record:match('"status":"(%a+)"')
  if only == 'failed' then return status == 'dead' or status == 'cancelled' end
  if only == 'missing' then return not status or status == 'cancelled' end
  return true
end

-- Its story names the target from now on, and queue_retry takes it.
local function add_target(key, stored)
  local head = stored:match('^[^\n]*')
  if head:match('"targets":%[([^%]]*)'):find('"' .. target .. '"', 1, true) then return end
  local rest = stored:sub(#head + 1)
  head = head:gsub('"targets":%[([^%]]*)%]', function(list)
    return '"targets":[' .. list .. (list == '' and '' or ',') .. '"' .. target .. '"]'
  end, 1)
  redis.call('SET', key, head .. rest, 'KEEPTTL')
end

local function begin_round(key, record)
  local again = record:find('^[^%[]*"again":true') and '' or ',"again":true'
  record = record:gsub('"status":"%a+"', '"status":"pending"' .. again, 1)
                 :gsub('"next_attempt_at":"[^"]*"}$', '"next_attempt_at":null}')
  redis.call('SET', key, record)
end

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local due, names = {}, {}
for i = 1, count do
  local event_key, record_key = KEYS[4 + 2 * i], KEYS[5 + 2 * i]
  local stored = not busy[i] and redis.call('GET', event_key)
  local record = stored and redis.call('GET', record_key)
  if stored and stored ~= '' and chosen(record) then
    names[#names + 1] = deliveries[i]
    due[#due + 1] = now_ms
    due[#due + 1] = deliveries[i]
    if not dry then add_target(event_key, stored) end
    if not dry and record then begin_round(record_key, record) end
  end
end
if #names > 0 and not dry then
  redis.call('ZREM', KEYS[5], unpack(names))
  redis.call('ZADD', KEYS[4], unpack(due))
end

redis.call('HSET', KEYS[1], 'cursor', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'looked', ARGV[6])
redis.call('HINCRBY', KEYS[1], 'matched', count)
redis.call('HINCRBY', KEYS[1], 'enqueued', #names)
redis.call('HINCRBY', KEYS[1], 'skipped', count - #names)
redis.call('HDEL', KEYS[1], 'held')
redis.call('EXPIRE', KEYS[1], ARGV[7])
if ARGV[5] == 'end' then
  redis.call('HSET', KEYS[1], 'state', 'done', 'ended_ms', string.format('%.0f', now_ms))
  redis.call('HDEL', KEYS[1], 'owner')
  redis.call('HDEL', KEYS[2], id)
end
return #names
