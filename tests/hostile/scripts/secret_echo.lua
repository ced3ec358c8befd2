-- secret_echo.lua - Sends a secret to a service that is approved and says back what it got.
-- expect: result {"status":200,"token":true,"value":false}
-- open:   1
-- config: {"key":"hunter2-that-no-plugin-sees"}
local http = require "moonhook.http"

return {
  name = "secret-echo", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  config = { key = { type = "string", secret = true } },
  on_alert = function(_, ctx)
    local key = ctx.config.key
    local res = http.post("http://127.0.0.2:OPEN_PORT/echo", {
      headers = { ["X-Key"] = key, Authorization = "Bearer " .. key },
      json = { key = key, twice = key .. key },
    })
    return { status = res.status, token = res.body:find(key, 1, true) ~= nil,
             value = res.body:find("hunter2", 1, true) ~= nil }
  end,
}
