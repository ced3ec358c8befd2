#!lua flags=allow-oom
-- leave: an engine ends in order; what it still holds is due for the others.
--
-- KEYS  engines, own set, due set
-- ARGV  engine id
-- Gives the number of deliveries given back.

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local moved = 0
while true do
  local held = redis.call('SPOP', KEYS[2], 1000)
  if #held == 0 then break end
  local due = {}
  for _, delivery in ipairs(held) do
    due[#due + 1] = now_ms
    due[#due + 1] = delivery
  end
  redis.call('ZADD', KEYS[3], unpack(due))
  moved = moved + #held
end
redis.call('ZREM', KEYS[1], ARGV[1])
return moved
