-- http_crlf_value.lua - A line break in a header's value would begin a header of the plugin's
-- own, or a second request.
-- expect: result {"sent":[]}
-- open:   0
local http, json = require "moonhook.http", require "moonhook.json"

return {
  name = "http-crlf-value", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function()
    local sent = json.array()
    for _, value in ipairs {
      "a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "\r\n\r\nGET / HTTP/1.1", "a\27[31m",
      ("x"):rep(20000),
    } do
      local res = http.get("http://127.0.0.2:OPEN_PORT/", { headers = { ["X-A"] = value } })
      if (res.error or {}).code ~= "invalid" then sent[#sent + 1] = value end
      res = http.get("http://127.0.0.2:OPEN_PORT/", { auth = value })
      if (res.error or {}).code ~= "invalid" then sent[#sent + 1] = value end
    end
    return { sent = sent }
  end,
}
