-- http_huge_bodies.lua - Forty hooks send six megabytes each, of one string that Lua has but
-- once, to a service that never answers: a small plugin, and 240 MB in the engine.
-- expect:   error timeout|plugin_error /2000 ms|bodies of 8 MiB/
-- together: 40
local http = require "moonhook.http"
local body = ("x"):rep(6e6)

return {
  name = "http-huge-bodies", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  limits = { timeout_ms = 2000 },
  on_alert = function() return http.post("http://127.0.0.2:OPEN_PORT/hang", { body = body }):expect(200) end,
}
