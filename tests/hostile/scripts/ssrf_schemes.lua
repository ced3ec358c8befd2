-- ssrf_schemes.lua - Everything but http and https that a library for URLs may know.
-- expect: result {"wrong":[]}
local http, json = require "moonhook.http", require "moonhook.json"

return {
  name = "ssrf-schemes", version = "1.0.0", permissions = { "alerts:read", "http:*", "http:*:CLOSED_PORT" },
  on_alert = function()
    local wrong = json.array()
    for _, url in ipairs {
      "file:///etc/passwd", "gopher://127.0.0.1:CLOSED_PORT/x", "ftp://127.0.0.1:CLOSED_PORT/",
      "dict://127.0.0.1:CLOSED_PORT/", "ldap://127.0.0.1/", "unix:/run/x", "//127.0.0.1/", "",
      "http", "http:/127.0.0.1/", "http:///127.0.0.1/", "http:\\\\127.0.0.1/",
      " http://127.0.0.1/", "http://127.0.0.1:CLOSED_PORT:80/", "http://127.0.0.1:0/",
      "http://127.0.0.1:65536/", "http://127.0.0.1:+80/", "http://127.0.0.1:080/",
      "jar:http://127.0.0.1!/", "data:,x",
    } do
      local res = http.get(url)
      if (res.error or {}).code ~= "invalid" then wrong[#wrong + 1] = url end
    end
    return { wrong = wrong }
  end,
}
