-- note_take: takes notes of what is left to be forgotten, for the engine that asks.
--
-- KEYS  the notes, the kind's hash, what the engines have seen
-- ARGV  engine, ms without a sign after which an engine is gone, most to take; or, instead of the
--       last, "" and an id: that one, which is about to be stored anew
-- A note says who is at it and since when. It can be taken from an engine that is gone: what that
-- one may still send has arrived by then. Its own come back after the same time, to be looked at
-- again: the answer to a removal may have been lost.
-- Gives the ids. Of one id: "none" (it is noted now, so that nobody else stores it), "left" (there
-- is something to be forgotten first) or "busy" (another engine is at it).

local t = redis.call('TIME')
local now_ms = t[1] * 1000 + math.floor(t[2] / 1000)
local gone_ms = tonumber(ARGV[2])

local function may_take(note)
  local engine, since_ms = note:match('^(%S+) (%d+)$')
  if now_ms - tonumber(since_ms) <= gone_ms then return false end
  local seen = engine ~= ARGV[1] and redis.call('HGET', KEYS[3], engine)
  return not seen or now_ms - tonumber(seen:match('%d+$')) > gone_ms
end

local function take(id)
  redis.call('HSET', KEYS[1], id, ARGV[1] .. ' ' .. string.format('%.0f', now_ms))
end

if ARGV[3] == '' then
  local note = redis.call('HGET', KEYS[1], ARGV[4])
  if note and note:match('^%S+') ~= ARGV[1] and not may_take(note) then return 'busy' end
  take(ARGV[4])
  return note and 'left' or 'none'
end

local taken, notes = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #notes, 2 do
  if redis.call('HEXISTS', KEYS[2], notes[i]) == 1 then
    redis.call('HDEL', KEYS[1], notes[i])               -- stored anew, by an engine that knows no notes
  elseif #taken < tonumber(ARGV[3]) and may_take(notes[i + 1]) then
    take(notes[i])
    taken[#taken + 1] = notes[i]
  end
end
return taken
