-- http_header_flood.lua - An answer that is nearly all header, with names in the thousands.
-- expect: result {"code":"too_large"}
-- lives:  yes
local http = require "moonhook.http"

return {
  name = "http-header-flood", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function() return { code = http.get("http://127.0.0.2:OPEN_PORT/headers").error.code } end,
}
