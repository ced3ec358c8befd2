-- http_flood.lua - Ten thousand requests whose answers nobody reads.
-- expect: error timeout /on_alert ran longer|used up/
local http = require "moonhook.http"

return {
  name = "http-flood", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  limits = { timeout_ms = 1000 },
  on_alert = function()
    for i = 1, 10000 do
      coroutine.wrap(pcall)(http.get, "http://127.0.0.2:OPEN_PORT/" .. i)
    end
  end,
}
