-- loop_sort.lua - A comparator that never ends; C waits in the middle of its sort.
-- expect: error timeout /300 ms/
-- trace:  /plugin\.lua:\d+/
-- lives:  yes
return {
  name = "loop-sort", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() table.sort({ 3, 2, 1 }, function() while true do end end) end,
}
