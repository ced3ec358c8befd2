-- page: events of an org from its index, in the order in which they were accepted.
--
-- KEYS  index of the org
-- ARGV  "up" or "down", from (ms, taken in), to (ms, left out), the entry behind which to
--       begin (ms and event id; both "" for the first), most entries, most bytes, prefix of
--       the org's event keys
-- Gives { 1 where there may be more or 0, id, ms, what is stored, id, ms, ... }; what is
-- stored is nil where the event is gone. The page ends early, but with one entry at least,
-- when it has more than so many bytes.
-- An entry is known by its time and id (I8): a page neither repeats nor skips one when
-- others come or go, this one too.

local index, way = KEYS[1], ARGV[1]
local from, to, ms, id = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local most, most_bytes, prefix = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

local function before(limit) return redis.call('ZCOUNT', index, '-inf', '(' .. limit) end

-- Ranks of the entry, or where it would stand, and of the next.
local function place()
  local score = redis.call('ZSCORE', index, id)
  if score and tonumber(score) == tonumber(ms) then
    local rank = redis.call('ZRANK', index, id)
    return rank, rank + 1
  end
  local rank = before(ms)
  while true do
    local entry = redis.call('ZRANGE', index, rank, rank, 'WITHSCORES')
    if not entry[1] or tonumber(entry[2]) > tonumber(ms) or entry[1] > id then
      return rank, rank
    end
    rank = rank + 1
  end
end

local first, behind = before(from), before(to)          -- ranks: first <= .. < behind
if ms ~= '' then
  local at, next = place()
  if way == 'up' then first = math.max(first, next) else behind = math.min(behind, at) end
end
local count = math.max(0, math.min(most, behind - first))
if count == 0 then return { 0 } end
local start = way == 'up' and first or behind - count
local entries = redis.call('ZRANGE', index, start, start + count - 1, 'WITHSCORES')

local out, bytes, taken = { 1 }, 0, 0
for i = 1, count do
  local at = 2 * (way == 'up' and i or count + 1 - i) - 1
  local stored = redis.call('GET', prefix .. entries[at])
  out[#out + 1] = entries[at]
  out[#out + 1] = string.format('%.0f', tonumber(entries[at + 1]))
  out[#out + 1] = stored
  taken = i
  bytes = bytes + (stored and #stored or 0)
  if bytes > most_bytes then break end
end
out[1] = taken < behind - first and 1 or 0
return out
