-- memory_setup.lua - Takes all memory in setup.
-- expect: install refused /does not start: .*memory/
return {
  name = "memory-setup", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  setup = function() return ("x"):rep(1e9) end,
  on_alert = function() end,
}
