-- load: all entries of one kind of what operators configured.
--
-- KEYS  the kind's hash, the changes
-- ARGV  the kind
-- Gives id, value, revision, id, ...; the revision is "0" where none is known.

local out, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  out[#out + 1] = all[i]
  out[#out + 1] = all[i + 1]
  out[#out + 1] = redis.call('ZSCORE', KEYS[2], ARGV[1] .. ' ' .. all[i]) or '0'
end
return out
