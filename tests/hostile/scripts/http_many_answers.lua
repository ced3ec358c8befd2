-- http_many_answers.lua - Ten answers of two megabytes at once, each within what one may have.
-- What the plugin does not take in time is refused, and says so; the plugin lives.
-- expect:   result {"ok":true}
-- together: 10
-- lives:    yes
local http = require "moonhook.http"

return {
  name = "http-many-answers", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  limits = { timeout_ms = 9000, memory_mb = 64 },
  on_alert = function()
    local res = http.get("http://127.0.0.2:OPEN_PORT/large")
    return { ok = #res.body == 2e6 or res.error.code == "busy" }
  end,
}
