-- replay_end: a replay ends before it is through, or its engine lets go of it.
--
-- KEYS  the job, open jobs
-- ARGV  job id, "cancelled", "failed" or "let go", why, org of whoever asks or "" for any,
--       engine id: where given, only if it is the owner
-- Gives 1; 0 when there is no such job; -1 when it has ended.

local job = redis.call('HMGET', KEYS[1], 'state', 'org', 'owner')
if not job[1] or (ARGV[4] ~= '' and ARGV[4] ~= job[2]) then return 0 end
if job[1] ~= 'running' or (ARGV[5] ~= '' and ARGV[5] ~= job[3]) then return -1 end
if ARGV[2] == 'let go' then
  redis.call('HDEL', KEYS[1], 'owner')
  return 1
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'reason', ARGV[3], 'ended_ms',
  string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
redis.call('HDEL', KEYS[1], 'owner', 'held')
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
