-- look: an engine says what it has seen of the configuration, and hears what there is.
--
-- KEYS  the changes, what the engines have seen
-- ARGV  engine, the revision that it knows
-- Gives the newest revision.

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now_ms))
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return tonumber(last[2] or 0)
