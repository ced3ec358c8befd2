-- relay - posts every alert's id, for the tests that count what arrives.
local http = require "moonhook.http"

return {
  name = "relay", version = "1.0.0",
  permissions = { "alerts:read", "http:${config.url}" },
  config = { url = { type = "string", format = "uri", required = true } },

  on_alert = function(alert, ctx)
    http.post(ctx.config.url, { json = { id = alert.id } }):expect(200)
  end,
}
