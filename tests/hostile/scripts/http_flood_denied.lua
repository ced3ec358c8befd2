-- http_flood_denied.lua - Requests without end that are refused at once: each costs the
-- engine a look and a line.
-- expect: error timeout /on_alert ran longer|used up/
local http = require "moonhook.http"

return {
  name = "http-flood-denied", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 1000 },
  on_alert = function()
    for i = 1, 1e9 do http.get("http://127.0.0.1:CLOSED_PORT/" .. i) end
  end,
}
