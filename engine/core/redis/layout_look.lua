-- layout_look: does a shard hold anything that another number of shards would lose sight of?
--
-- KEYS  engines, due set, orgs that have an index, open replays
-- ARGV  what the names of engines begin with that know of the new number, "all" or "engines"
-- Gives 1 where it does: an engine that goes by another number; with "all" also an event, a
-- delivery that is due, a replay that goes on.

for _, engine in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if engine:sub(1, #ARGV[1]) ~= ARGV[1] then return 1 end
end
if ARGV[2] == 'engines' then return 0 end
return redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4]) > 0 and 1 or 0
