-- retry: an operator wants a delivery made now.
--
-- KEYS  due set, dead set, engines, event key, record key
-- ARGV  delivery key, prefix of the engines' own sets
-- The next attempt begins a new round of the retry schedule, which the record says.
-- Gives 1; 0 when its event is no longer stored, or never had this target: whoever may
-- retry must not send an event where it was not meant to go; -1 when an engine has it
-- under way.

local stored = redis.call('GET', KEYS[4])
if not stored or stored == '' then return 0 end
local meant = false
for _, target in ipairs(cjson.decode(stored:match('^[^\n]*')).targets) do
  meant = meant or target == ARGV[1]:match('~(.*)$')
end
if not meant then return 0 end
for _, engine in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if redis.call('SISMEMBER', ARGV[2] .. engine, ARGV[1]) == 1 then return -1 end
end
local record = redis.call('GET', KEYS[5])
if record then
  local again = record:find('^[^%[]*"again":true') and '' or ',"again":true'
  record = record:gsub('"status":"%a+"', '"status":"pending"' .. again, 1)
                 :gsub('"next_attempt_at":"[^"]*"}$', '"next_attempt_at":null}')
  redis.call('SET', KEYS[5], record)
end
local t = redis.call('TIME')
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
return 1
