-- log_flood.lua - A hundred thousand lines in one hook.
-- expect: result {"written":100000}
-- logs:   64
local log = require "moonhook.log"

return {
  name = "log-flood", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for i = 1, 100000 do log.info("line %d", i) end
    return { written = 100000 }
  end,
}
