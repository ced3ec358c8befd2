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
-- that however many have to stay, those behind them are reached. Redis is asked once for many
-- events: forgetting must be faster than accepting, or a steady load outgrows any bound (Q6).

local prefix, keep_ms, keep_events = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keep_dead, budget, remember_ms = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local ORGS, CHUNK = 50, 1000
local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local engines = redis.call('ZRANGE', KEYS[3], 0, -1)
local removed, more = 0, 0

local function in_chunks(list, visit)
  for from = 1, #list, CHUNK do
    visit({ unpack(list, from, math.min(from + CHUNK - 1, #list)) }, from - 1)
  end
end

local function append(list, more_of_it)
  for _, one in ipairs(more_of_it) do list[#list + 1] = one end
end

-- The first line is all that is wanted of an event that may be large.
local HEAD_BYTES = 4096
local function head_of(key)
  local head = redis.call('GETRANGE', key, 0, HEAD_BYTES - 1)
  if head ~= '' and not head:find('\n', 1, true) then head = redis.call('GET', key) end
  return head:match('^[^\n]*')
end

local function read(org, id, accepted_ms)
  local key = prefix .. 'event:' .. org .. '/' .. id
  local head, event = head_of(key), { id = id, key = key, accepted_ms = accepted_ms }
  event.stored = head ~= ''
  event.made = head:find('"made":true', 1, true) ~= nil
  event.targets, event.deliveries = {}, {}
  local list = head:match('"targets":%[([^%]]*)%]') or ''
  for target in list:gmatch('"([^"]*)"') do
    event.targets[#event.targets + 1] = target
    event.deliveries[#event.deliveries + 1] = org .. '/' .. id .. '~' .. target
  end
  return event
end

-- As many as the budget lets in, one at least.
local function read_some(org, entries)
  local events, at = {}, 1
  while at < #entries and budget > 0 do
    local event = read(org, entries[at], tonumber(entries[at + 1]))
    budget = budget - 1 - #event.targets
    events[#events + 1] = event
    at = at + 2
  end
  return events
end

-- Says of each event whether it stays: one of its deliveries is due or owned.
local function judge(events)
  local all, event_of = {}, {}
  for _, event in ipairs(events) do
    for _, delivery in ipairs(event.deliveries) do
      all[#all + 1] = delivery
      event_of[#all] = event
    end
  end
  in_chunks(all, function(chunk, before)
    for i, score in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(chunk))) do
      if score then event_of[before + i].stays = true end
    end
    for _, engine in ipairs(engines) do
      for i, held in ipairs(redis.call('SMISMEMBER', prefix .. 'own:' .. engine, unpack(chunk))) do
        if held == 1 then event_of[before + i].stays = true end
      end
    end
  end)
end

-- Of an id that a producer chose this much stays, for as long as it may be repeated (Q3).
local function remembers(event)
  if event.made or event.accepted_ms + remember_ms <= now_ms then return false end
  redis.call('SET', event.key, '', 'PXAT', string.format('%.0f', event.accepted_ms + remember_ms))
  return true
end

local function forget(org, events)
  local keys, deliveries, ids, logs = {}, {}, {}, {}
  for _, event in ipairs(events) do
    for i, delivery in ipairs(event.deliveries) do
      local log = prefix .. 'log:' .. org .. '/' .. event.targets[i]
      logs[log] = logs[log] or {}
      table.insert(logs[log], delivery)
      keys[#keys + 1] = prefix .. 'delivery:' .. delivery
    end
    append(deliveries, event.deliveries)
    ids[#ids + 1] = event.id
    if event.stored and not remembers(event) then keys[#keys + 1] = event.key end
  end
  in_chunks(keys, function(chunk) redis.call('UNLINK', unpack(chunk)) end)
  in_chunks(deliveries, function(chunk) redis.call('ZREM', KEYS[2], unpack(chunk)) end)
  in_chunks(ids, function(chunk) redis.call('ZREM', prefix .. 'events:' .. org, unpack(chunk)) end)
  for log, entries in pairs(logs) do
    in_chunks(entries, function(chunk) redis.call('ZREM', log, unpack(chunk)) end)
  end
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
  local events, over = read_some(org, entries), {}
  judge(events)
  for _, event in ipairs(events) do
    if not event.stays then over[#over + 1] = event end
  end
  forget(org, over)
  local here = #over
  left = left + #events - here
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
