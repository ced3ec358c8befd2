-- http_hang.lua - Asks a service that never answers, for longer than it may wait.
-- expect: error timeout /300 ms/
-- open:   1
local http = require "moonhook.http"

return {
  name = "http-hang", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    return http.get("http://127.0.0.2:OPEN_PORT/hang", { timeout_ms = 1e9 }):expect(200)
  end,
}
