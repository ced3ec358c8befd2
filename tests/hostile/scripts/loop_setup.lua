-- loop_setup.lua - Loops in setup, after its manifest was believed.
-- expect: install refused /does not start: plugin\.lua:\d+: .*300 ms/
return {
  name = "loop-setup", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  setup = function() while true do end end,
  on_alert = function() end,
}
