-- replace: entries of one hash, each only if it still is what was read.
--
-- KEYS  hash
-- ARGV  triples: field, what it is thought to hold, what it is to hold
-- Gives how many were replaced.

local replaced = 0
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    replaced = replaced + 1
  end
end
return replaced
