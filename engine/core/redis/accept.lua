-- accept: stores a batch of events together with their fan-out, all or nothing.
--
-- KEYS  engines, own set of this engine, due set, a counter, orgs by when they were trimmed,
--       number of stored events, then one event key per event
-- ARGV  engine id, prefix of event keys and of the orgs' indexes, then per event: record,
--       "own" or "due", number of deliveries, their keys
-- No event has an end of its own: trim.lua forgets it, when its deliveries have ended (I10).
-- Each event enters its org's index in the same call (I8). The indexes are keys that KEYS
-- does not list; they share the hash tag.
-- Gives one integer per event: 1 stored, 0 an event of this id was there before.
-- An event that was there may not have reached the replicas yet: counting it makes this
-- call a write, behind which WAIT waits for that event, too.
-- STALE: this engine was declared dead; nothing is written.

local engine, event_prefix, index_prefix = ARGV[1], ARGV[2], ARGV[3]
if not redis.call('ZSCORE', KEYS[1], engine) then
  return redis.error_reply('STALE engine ' .. engine)
end

local CHUNK = 1000                  -- arguments per command; Lua's unpack has a limit
local results, own, due, indexes = {}, {}, {}, {}
local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local stored = 0

local function flush(command, key, list)
  for from = 1, #list, CHUNK do
    redis.call(command, key, unpack(list, from, math.min(from + CHUNK - 1, #list)))
  end
end

local function index(key)
  local org, id = key:sub(#event_prefix + 1):match('^([^/]*)/(.*)$')
  local entries = indexes[org] or {}
  entries[#entries + 1] = now_ms
  entries[#entries + 1] = id
  indexes[org] = entries
end

local at = 4
local repeated = false
for i = 7, #KEYS do
  local record, state, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local fresh = redis.call('SET', KEYS[i], record, 'NX')
  if fresh and state == 'own' then
    for j = 1, count do own[#own + 1] = ARGV[at + 2 + j] end
  elseif fresh then
    for j = 1, count do
      due[#due + 1] = now_ms
      due[#due + 1] = ARGV[at + 2 + j]
    end
  end
  if fresh then
    index(KEYS[i])
    stored = stored + 1
  end
  results[i - 6] = fresh and 1 or 0
  repeated = repeated or not fresh
  at = at + 3 + count
end

flush('SADD', KEYS[2], own)
flush('ZADD', KEYS[3], due)
local orgs = {}
for org, entries in pairs(indexes) do
  flush('ZADD', index_prefix .. org, entries)
  orgs[#orgs + 1] = 0
  orgs[#orgs + 1] = org
end
if #orgs > 0 then
  redis.call('ZADD', KEYS[5], 'NX', unpack(orgs))
  redis.call('INCRBY', KEYS[6], stored)
end
if repeated then redis.call('INCR', KEYS[4]) end
return results
