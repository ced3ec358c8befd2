-- ssrf_permission.lua - Hosts that only look like the one that was approved.
-- expect: result {"wrong":[]}
local http, json = require "moonhook.http", require "moonhook.json"

return {
  name = "ssrf-permission", version = "1.0.0",
  permissions = { "alerts:read", "http:api.example.com", "http:*.allowed.example" },
  on_alert = function()
    local wrong = json.array()
    for _, host in ipairs {
      "api.example.com.evil.test", "evil-api.example.com", "evilallowed.example", "example.com",
      "allowed.example", "api.example.com:8080", "127.0.0.1:CLOSED_PORT",
      "allowed.example.evil.test", "127.0.0.1:CLOSED_PORT/api.example.com",
      "127.0.0.1:CLOSED_PORT?api.example.com", "127.0.0.1:CLOSED_PORT#api.example.com",
    } do
      local res = http.get("http://" .. host)
      if (res.error or {}).code ~= "denied" then wrong[#wrong + 1] = host end
    end
    return { wrong = wrong }
  end,
}
