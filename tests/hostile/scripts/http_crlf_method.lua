-- http_crlf_method.lua - A method that brings its own request line.
-- expect: error plugin_error /the method must be a word/
-- open:   0
local http = require "moonhook.http"

return {
  name = "http-crlf-method", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function()
    assert(not pcall(http.request, "GET /x HTTP/1.1", "http://127.0.0.2:OPEN_PORT/"))
    http.request("GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET", "http://127.0.0.2:OPEN_PORT/")
  end,
}
