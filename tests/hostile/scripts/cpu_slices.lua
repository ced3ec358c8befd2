-- cpu_slices.lua - Computes a little between requests, so that no turn of it is long.
-- expect: error cpu_time /200 ms/
local http = require "moonhook.http"

return {
  name = "cpu-slices", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 9000, cpu_ms = 200 },
  on_alert = function()
    while true do
      for i = 1, 1e5 do local _ = i * i end
      http.get("http://nowhere.example/")
    end
  end,
}
