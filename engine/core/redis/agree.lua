-- agree: how many other engines have not seen a revision of the configuration yet.
--
-- KEYS  what the engines have seen
-- ARGV  engine that asks, revision, ms without a look after which an engine is gone

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local behind, seen = 0, redis.call('HGETALL', KEYS[1])
for i = 1, #seen, 2 do
  local revision, looked_ms = seen[i + 1]:match('^(%d+) (%d+)$')
  if now_ms - tonumber(looked_ms) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], seen[i])
  elseif seen[i] ~= ARGV[1] and tonumber(revision) < tonumber(ARGV[2]) then
    behind = behind + 1
  end
end
return behind
