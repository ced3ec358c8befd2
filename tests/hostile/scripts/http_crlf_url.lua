-- http_crlf_url.lua - Line breaks, blanks and NUL in a URL.
-- expect: result {"sent":[]}
-- open:   0
local http, json = require "moonhook.http", require "moonhook.json"

return {
  name = "http-crlf-url", version = "1.0.0", permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  on_alert = function()
    local sent = json.array()
    for _, path in ipairs {
      "/\r\nX-Evil: 1", "/ HTTP/1.1", "/\t", "/\n", "/\127", "\\@x/", "/" .. ("x"):rep(9000),
    } do
      local res = http.get("http://127.0.0.2:OPEN_PORT" .. path)
      if (res.error or {}).code ~= "invalid" then sent[#sent + 1] = path end
    end
    return { sent = sent }
  end,
}
