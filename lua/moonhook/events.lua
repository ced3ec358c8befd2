-- moonhook.events - new events, for the org of the one that the hook runs for:
--
--   local id = events.emit("incident.opened", { key = key })
--
-- It is stored when emit() returns, and goes to every plugin and webhook that wants it.
-- Needs the permission "events:emit". A hook that is tried again emits nothing twice: the
-- n-th event has, if its type is the same, the same id in each attempt. A hook whose
-- attempts differ in what they emit names its events itself: { id = "opened:" .. key }.
local _, native = ...

require "moonhook.retry"

local error, pairs, tostring, type = error, pairs, tostring, type
local ask, encode = native.ask, native.encode

local events = {}

local function id_of(options)
  if options == nil then return nil end
  if type(options) ~= "table" then error("events.emit: the options must be a table", 3) end
  for name in pairs(options) do
    if name ~= "id" then error("events.emit: there is no option '" .. tostring(name) .. "'", 3) end
  end
  if options.id ~= nil and type(options.id) ~= "string" then
    error("events.emit: id must be a string, not a " .. type(options.id), 3)
  end
  return options.id
end

-- The new event's id, and whether it was emitted before.
function events.emit(kind, data, options)
  if type(kind) ~= "string" then
    error("events.emit: the type must be a string, not a " .. type(kind), 2)
  end
  if type(data) ~= "table" then
    error("events.emit: the data must be a table, not a " .. type(data), 2)
  end
  local id = id_of(options)
  local text, why = encode(data)
  if not text then error("events.emit: the data: " .. why, 2) end
  local reply = ask("events.emit", { op = "emit", event = kind, id = id }, text)
  return reply.id, reply.duplicate
end

return events
