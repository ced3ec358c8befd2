-- emit_denied.lua - Speaks to other plugins and webhooks without the permission to.
-- expect: error denied /events:emit/
local events = require "moonhook.events"

return {
  name = "emit-denied", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() events.emit("alert", { title = "false alarm" }) end,
}
