-- http_crlf_name.lua - The same in a header's name, and names that are no token.
-- expect: result {"sent":[]}
-- open:   0
local http, json = require "moonhook.http", require "moonhook.json"

return {
  name = "http-crlf-name", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function()
    local sent = json.array()
    for _, name in ipairs {
      "X-A: 1\r\nX-Evil", "X\n", "X Y", "X:", "", "\0", "X\0Y", "Ü", ("x"):rep(1000),
    } do
      local res = http.get("http://127.0.0.2:OPEN_PORT/", { headers = { [name] = "1" } })
      if (res.error or {}).code ~= "invalid" then sent[#sent + 1] = name end
    end
    return { sent = sent }
  end,
}
