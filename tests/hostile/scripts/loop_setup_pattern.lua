-- loop_setup_pattern.lua - The same in one call of C.
-- expect: install refused /does not start: .*setup ran longer than 300 ms/
return {
  name = "loop-setup-pattern", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  setup = function() return ("a"):rep(300):find(".-.-.-.-.-b") end,
  on_alert = function() end,
}
