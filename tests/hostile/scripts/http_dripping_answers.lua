-- http_dripping_answers.lua - Forty answers of nearly two megabytes that never end: each is
-- within what one may have, together they are 80 MB in the engine. There is room for 16.
-- expect:   error timeout|plugin_error /2000 ms|take all the room/
-- together: 40
-- lives:    yes
local http = require "moonhook.http"

return {
  name = "http-dripping-answers", version = "1.0.0",
  permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  limits = { timeout_ms = 2000 },
  on_alert = function() return http.get("http://127.0.0.2:OPEN_PORT/drip"):expect(200) end,
}
