-- loop_plain.lua - while true do end.
-- expect: error timeout /plugin\.lua:\d+: the hook has used up its 300 ms/
-- trace:  /plugin\.lua:\d+: in function/
-- lives:  yes
return {
  name = "loop-plain", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() while true do end end,
}
