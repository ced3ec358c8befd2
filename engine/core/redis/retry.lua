-- retry: an operator wants a delivery made now.
--
-- KEYS  due set, dead set, event key
-- ARGV  delivery key
-- Gives 1; 0 when its event is no longer stored.

if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
local t = redis.call('TIME')
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[1], t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
return 1
