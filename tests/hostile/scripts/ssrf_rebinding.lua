-- ssrf_rebinding.lua - A name that was approved, and is loopback when it is dialled. No answer
-- of a name server is trusted: what counts is the address of the socket that is about to be
-- opened, each time anew. So a name that pointed elsewhere a second ago (when it was approved,
-- or at the last request) gains nothing; "localhost" is such a name that needs no name server
-- here.
-- expect: result {"first":"blocked","again":"blocked"}
local http = require "moonhook.http"

return {
  name = "ssrf-rebinding", version = "1.0.0", permissions = { "alerts:read", "http:localhost:CLOSED_PORT" },
  on_alert = function()
    local function code()
      local res = http.get("http://localhost:CLOSED_PORT/")
      return res.error and res.error.code or "reached"
    end
    return { first = code(), again = code() }
  end,
}
