-- cpu_loop.lua - Computes for as long as it may wait: the time of a hook is long, its CPU time is not.
-- expect: error cpu_time /plugin\.lua:\d+: the hook has used up its 200 ms of CPU time/
-- trace:  /plugin\.lua:\d+/
-- lives:  yes
return {
  name = "cpu-loop", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 9000, cpu_ms = 200 },
  on_alert = function() while true do end end,
}
