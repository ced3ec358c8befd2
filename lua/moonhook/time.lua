-- moonhook.time - wall time, in seconds since 1970 (with a fraction), and as the text
-- that JSON and people use.
local _, native = ...

local error, type = error, type
local now, iso, parse = native.now, native.iso, native.parse_time

local time = { now = now }

-- "2026-01-22T10:00:00.000Z", of now where nothing is given.
function time.iso(seconds)
  if seconds ~= nil and type(seconds) ~= "number" then
    error("time.iso: seconds since 1970 were expected", 2)
  end
  return iso(seconds or now()) or error("time.iso: only the years 0 to 9999 can be written", 2)
end

-- Seconds since 1970 of an RFC 3339 time with any offset; nil for anything else.
function time.parse(text)
  return type(text) == "string" and parse(text) or nil
end

return time
