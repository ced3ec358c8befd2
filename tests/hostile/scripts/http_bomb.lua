-- http_bomb.lua - A few kilobytes that unpack to forty megabytes.
-- expect: result {"code":"too_large"}
-- lives:  yes
local http = require "moonhook.http"

return {
  name = "http-bomb", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function() return { code = http.get("http://127.0.0.2:OPEN_PORT/bomb").error.code } end,
}
