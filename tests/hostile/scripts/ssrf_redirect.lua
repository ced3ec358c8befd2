-- ssrf_redirect.lua - A service that is approved sends the request on to one that is not.
-- expect: result {"status":302}
-- open:   1
local http = require "moonhook.http"

return {
  name = "ssrf-redirect", version = "1.0.0",
  permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT", "http:127.0.0.1:CLOSED_PORT" },
  on_alert = function() return { status = http.get("http://127.0.0.2:OPEN_PORT/redirect").status } end,
}
