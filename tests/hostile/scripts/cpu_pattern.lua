-- cpu_pattern.lua - The same in one call of C, which nothing in Lua can end.
-- expect: error cpu_time /computed for longer than 200 ms/
-- lives:  no
return {
  name = "cpu-pattern", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 9000, cpu_ms = 200 },
  on_alert = function() return ("a"):rep(300):find(".-.-.-.-.-b") end,
}
