#!lua flags=allow-oom
-- trim: forgets the oldest events of each org, past their age or beyond their number,
-- together with their deliveries' records; a bounded part of that, and never an event with
-- a delivery that has not ended: by I2 that one is due or in an engine's own set (I10).
--
-- KEYS  due set, dead set, engines, orgs by when they were looked at, number of stored events
-- ARGV  prefix of all keys, ms to keep, events to keep per org, dead letters to keep, most
--       entries in this call, ms for which an id is remembered (Q3)
-- Gives { entries removed, 1 where there is more to do, number of stored events, memory that
-- Redis uses, its limit or 0 }.
-- Indexes, events, records, logs and own sets are keys that KEYS does not list; they share
-- the hash tag. The hash "trim" says how many at the head of an org's index were left, so
-- that however many have to stay, those behind them are reached.

local prefix, keep_ms, keep_events = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keep_dead, budget, remember_ms = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local ORGS, CHUNK = 50, 1000
local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local engines = redis.call('ZRANGE', KEYS[3], 0, -1)
local removed, more = 0, 0

local function in_chunks(list, visit)
  for from = 1, #list, CHUNK do
    local chunk = { unpack(list, from, math.min(from + CHUNK - 1, #list)) }
    if visit(chunk) then return true end
  end
  return false
end

local function has_not_ended(deliveries)
  return in_chunks(deliveries, function(chunk)
    for _, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(chunk))) do
      if score then return true end
    end
    for _, engine in ipairs(engines) do
      for _, held in ipairs(redis.call('SMISMEMBER', prefix .. 'own:' .. engine, unpack(chunk))) do
        if held == 1 then return true end
      end
    end
  end)
end

local function forget_deliveries(org, targets, deliveries)
  for i, delivery in ipairs(deliveries) do
    redis.call('DEL', prefix .. 'delivery:' .. delivery)
    redis.call('ZREM', prefix .. 'log:' .. org .. '/' .. targets[i], delivery)
  end
  in_chunks(deliveries, function(chunk) redis.call('ZREM', KEYS[2], unpack(chunk)) end)
end

-- Its id stays known for as long as a producer may repeat it (Q3).
local function forget_event(key, accepted_ms)
  if accepted_ms + remember_ms > now_ms then
    redis.call('SET', key, '', 'PXAT', string.format('%.0f', accepted_ms + remember_ms))
  else
    redis.call('DEL', key)
  end
end

local function forget(org, id, accepted_ms)
  local key = prefix .. 'event:' .. org .. '/' .. id
  local stored = redis.call('GET', key)
  local targets, deliveries = {}, {}
  local list = stored and stored:match('^[^\n]-"targets":%[([^%]]*)%]') or ''
  for target in list:gmatch('"([^"]*)"') do
    targets[#targets + 1] = target
    deliveries[#deliveries + 1] = org .. '/' .. id .. '~' .. target
  end
  budget = budget - 1 - #targets
  if has_not_ended(deliveries) then return false end
  forget_deliveries(org, targets, deliveries)
  if stored then forget_event(key, accepted_ms) end
  redis.call('ZREM', prefix .. 'events:' .. org, id)
  return true
end

local function trim(org)
  local index = prefix .. 'events:' .. org
  local size = redis.call('ZCARD', index)
  local left = tonumber(redis.call('HGET', prefix .. 'trim', org)) or 0
  local aged = redis.call('ZCOUNT', index, '-inf', '(' .. string.format('%.0f', now_ms - keep_ms))
  local goal = math.max(aged, size - keep_events)       -- what stands below it may go
  if left >= goal then left = 0 end
  local entries = goal > 0 and redis.call('ZRANGE', index, left, math.min(left + budget, goal) - 1,
                                          'WITHSCORES') or {}
  local at, here = 1, 0
  while at < #entries and budget > 0 do
    if forget(org, entries[at], tonumber(entries[at + 1])) then here = here + 1 else left = left + 1 end
    at = at + 2
  end
  removed = removed + here
  if left + here >= goal then left = 0 else more = 1 end
  if left > 0 then redis.call('HSET', prefix .. 'trim', org, left)
  else redis.call('HDEL', prefix .. 'trim', org) end
  if size == here then redis.call('ZREM', KEYS[4], org)
  else redis.call('ZADD', KEYS[4], now_ms, org) end
end

for _, org in ipairs(redis.call('ZRANGE', KEYS[4], 0, ORGS - 1)) do
  if budget <= 0 then
    more = 1
    break
  end
  trim(org)
end
if removed > 0 then redis.call('DECRBY', KEYS[5], removed) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -keep_dead - 1)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now_ms - keep_ms))

local memory = redis.call('INFO', 'memory')
local function of(name) return tonumber(memory:match('\n' .. name .. ':(%d+)')) or 0 end
return { removed, more, tonumber(redis.call('GET', KEYS[5])) or 0, of('used_memory'), of('maxmemory') }
