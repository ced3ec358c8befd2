-- layout_set: changes the number of the queue's shards, if it is what it was.
--
-- KEYS  the number
-- ARGV  what it is, what it shall be; 0 where there is none
-- Gives 1; 0 when it is another by now.

if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1
