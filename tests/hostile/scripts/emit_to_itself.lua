-- emit_to_itself.lua - Answers each alert with another: a chain that would never end, were it
-- not for the number of hooks that an event may be away from a producer.
-- expect: result {"emitted":true}
local events = require "moonhook.events"

return {
  name = "emit-to-itself", version = "1.0.0", permissions = { "alerts:read", "events:emit" },
  on_alert = function()
    events.emit("alert", { title = "again" })
    return { emitted = true }
  end,
}
