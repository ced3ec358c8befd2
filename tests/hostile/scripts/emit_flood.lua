-- emit_flood.lua - Events without end, each of which would have deliveries of its own.
-- expect: error limit /limits\.events_per_s/
-- limit:  events_per_s
local events = require "moonhook.events"

return {
  name = "emit-flood", version = "1.0.0", permissions = { "alerts:read", "events:emit" },
  limits = { events_per_s = 5 },
  on_alert = function()
    for i = 1, 1e6 do events.emit("flood", { n = i }) end
  end,
}
