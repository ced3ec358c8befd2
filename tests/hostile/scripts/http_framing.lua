-- http_framing.lua - Headers that say where a request ends, or whom it is for: they are
-- moonhook's to write.
-- expect: result {"sent":[]}
-- open:   0
local http, json = require "moonhook.http", require "moonhook.json"

return {
  name = "http-framing", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function()
    local sent = json.array()
    for _, name in ipairs { "Host", "host", "Content-Length", "CONTENT-LENGTH", "Transfer-Encoding", "Host ",
                            "transfer-encoding\t" } do
      local res = http.post("http://127.0.0.2:OPEN_PORT/", { body = "x", headers = { [name] = "1" } })
      if (res.error or {}).code ~= "invalid" then sent[#sent + 1] = name end
    end
    return { sent = sent }
  end,
}
