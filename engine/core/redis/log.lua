-- log: a page of a target's deliveries, newest first.
--
-- KEYS  log key
-- ARGV  number of entries, the entry behind which to begin ("" for the newest)
-- An entry is its own cursor, so that a page neither repeats nor skips one when
-- new ones arrive. A cursor that was trimmed away gives an empty page.

local from = 0
if ARGV[2] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[2])
  if not rank then return {} end
  from = rank + 1
end
return redis.call('ZREVRANGE', KEYS[1], from, from + ARGV[1] - 1)
