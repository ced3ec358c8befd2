-- loop_pcall.lua - Catches the error of its deadline and goes on.
-- expect: error timeout /300 ms/
-- trace:  /plugin\.lua:\d+/
return {
  name = "loop-pcall", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() while true do pcall(function() while true do end end) end end,
}
