-- store: what one plugin keeps for one org, within its quota.
--
-- KEYS  values (hash: name to JSON text; "", which is no name, to the bytes of all),
--       names (sorted set, all of score 0), ends (sorted set of names by their end in ms),
--       orgs (set of those that this plugin keeps something for)
-- ARGV  what, org, most names, most bytes, then by what:
--         get, delete   name
--         set           name, value, ms to live
--         incr          name, by, ms to live of a new one
--         cas           name, "1" where a value is expected or "0" where none is, the value
--                       expected, value, ms to live
--         list          from, to (as ZRANGEBYLEX has them), most
--       0 ms to live: without an end
-- Gives { "ok", ... } or { what is in the way }: "none", "other", "keys", "bytes",
-- "type", "range". A name counts with its bytes and its value's. What is past its end is
-- removed before anything else, so that it neither is found nor counts.

local VALUES, NAMES, ENDS, ORGS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local what, org = ARGV[1], ARGV[2]
local most_names, most_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local MOVE = 1000
local MOST = 9007199254740991               -- 2^53 - 1: every whole number up to it is exact

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)

local function drop(name)
  local bytes = redis.call('HSTRLEN', VALUES, name)
  if redis.call('HDEL', VALUES, name) == 0 then return 0 end
  redis.call('ZREM', NAMES, name)
  redis.call('ZREM', ENDS, name)
  if redis.call('ZCARD', NAMES) == 0 then
    redis.call('DEL', VALUES)
    redis.call('SREM', ORGS, org)
  else
    redis.call('HINCRBY', VALUES, '', -(#name + bytes))
  end
  return 1
end

local function drop_ended()
  repeat
    local ended = redis.call('ZRANGEBYSCORE', ENDS, '-inf', now_ms, 'LIMIT', 0, MOVE)
    for _, name in ipairs(ended) do drop(name) end
  until #ended < MOVE
end

-- `live_ms` nil: the end stays as it is.
local function put(name, value, live_ms)
  local fresh = redis.call('HEXISTS', VALUES, name) == 0
  local more = #value - redis.call('HSTRLEN', VALUES, name) + (fresh and #name or 0)
  local bytes = tonumber(redis.call('HGET', VALUES, '') or 0)
  if fresh and redis.call('ZCARD', NAMES) >= most_names then return { 'keys' } end
  if more > 0 and bytes + more > most_bytes then return { 'bytes' } end
  redis.call('HSET', VALUES, name, value)
  redis.call('HINCRBY', VALUES, '', more)
  redis.call('ZADD', NAMES, 0, name)
  redis.call('SADD', ORGS, org)
  if live_ms and live_ms > 0 then
    redis.call('ZADD', ENDS, string.format('%.0f', now_ms + live_ms), name)
  elseif live_ms then
    redis.call('ZREM', ENDS, name)
  end
  return { 'ok' }
end

local does = {}

function does.get(name)
  local value = redis.call('HGET', VALUES, name)
  return value and { 'ok', value } or { 'none' }
end

function does.set(name, value, live_ms) return put(name, value, tonumber(live_ms)) end

does['delete'] = function(name) return { drop(name) == 1 and 'ok' or 'none' } end

function does.incr(name, by, live_ms)
  local value = redis.call('HGET', VALUES, name)
  if value and not value:find('^%-?%d+$') then return { 'type' } end
  local sum = tonumber(value or 0) + tonumber(by)
  if math.abs(sum) > MOST then return { 'range' } end
  local text = string.format('%.0f', sum)
  local done = put(name, text, not value and tonumber(live_ms) or nil)
  return done[1] == 'ok' and { 'ok', text } or done
end

function does.cas(name, expects, expected, value, live_ms)
  local now = redis.call('HGET', VALUES, name)
  if (expects == '1') ~= (now and true or false) or (now and now ~= expected) then
    return { 'other' }
  end
  return put(name, value, tonumber(live_ms))
end

function does.list(from, to, most)
  local names = redis.call('ZRANGEBYLEX', NAMES, from, to, 'LIMIT', 0, most + 1)
  local more = #names > tonumber(most)
  if more then names[#names] = nil end
  return { 'ok', more and 1 or 0, names }
end

drop_ended()
return does[what](unpack(ARGV, 5))
