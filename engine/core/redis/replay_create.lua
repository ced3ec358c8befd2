-- replay_create: a new replay, which the engine that asks for it begins.
--
-- KEYS  the job, open jobs, the org's list of jobs, the org's index of events, engines
-- ARGV  engine id, job id, most open jobs, most jobs in the list, seconds to keep it, org,
--       kind of target, target id, from (ms), to (ms, "" for now), only, "1" for a dry run,
--       deliveries a second
-- Gives "OK"; "BUSY" when too many are open; or the id of the open one that replays to the
-- same target: two at once would send the same events twice.

local a = ARGV
local same = a[12] == '1' and '' or a[6] .. '/' .. a[8]
local open = redis.call('HGETALL', KEYS[2])
if #open >= 2 * tonumber(a[3]) then return 'BUSY' end
for i = 2, #open, 2 do
  if same ~= '' and open[i] == same then return open[i - 1] end
end
local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local to_ms = a[10] == '' and now_ms or math.min(now_ms, tonumber(a[10]))
local function text(n) return string.format('%.0f', n) end

redis.call('HSET', KEYS[1], 'org', a[6], 'kind', a[7], 'target', a[8], 'since_ms', a[9],
  'until_ms', text(to_ms), 'only', a[11], 'dry_run', a[12], 'rate', a[13], 'state', 'running',
  'cursor', '', 'looked', 0, 'matched', 0, 'enqueued', 0, 'skipped', 0,
  'total', redis.call('ZCOUNT', KEYS[4], a[9], '(' .. text(to_ms)),
  'created_ms', text(now_ms), 'ended_ms', 0, 'owner', a[1])
redis.call('EXPIRE', KEYS[1], a[5])
redis.call('HSET', KEYS[2], a[2], same)
redis.call('ZADD', KEYS[3], now_ms, a[2])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -a[4] - 1)
redis.call('EXPIRE', KEYS[3], a[5])
return 'OK'
