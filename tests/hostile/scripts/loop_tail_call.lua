-- loop_tail_call.lua - A loop of tail calls: no stack grows, no line is passed twice in one
-- function.
-- expect: error timeout /300 ms/
-- trace:  /plugin\.lua:\d+/
-- lives:  yes
local function f() return f() end
return {
  name = "loop-tail-call", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() return f() end,
}
