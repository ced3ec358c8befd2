-- replay_take: gives an engine the open replays that are its own, and takes for it those
-- whose engine is no more.
--
-- KEYS  open jobs, engines
-- ARGV  engine id, prefix of jobs, most to take at once
-- Gives { id, its fields and values, id, ... }. An engine owns a job as it owns deliveries:
-- while it is in the set of engines (I3).

local out, taken = {}, 0
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return out end
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
  local key = ARGV[2] .. id
  local job = redis.call('HMGET', key, 'state', 'owner')
  local owner = job[2]
  if job[1] ~= 'running' then
    redis.call('HDEL', KEYS[1], id)             -- past its retention
  else
    if owner ~= ARGV[1] and taken < tonumber(ARGV[3]) and
       not (owner and redis.call('ZSCORE', KEYS[2], owner)) then
      redis.call('HSET', key, 'owner', ARGV[1])
      owner, taken = ARGV[1], taken + 1
    end
    if owner == ARGV[1] then
      out[#out + 1] = id
      out[#out + 1] = redis.call('HGETALL', key)
    end
  end
end
return out
