-- loop_xpcall_handler.lua - The error is the deadline's, and its handler loops as well.
-- expect: error timeout /300 ms/
return {
  name = "loop-xpcall-handler", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    xpcall(function() while true do end end, function() while true do end end)
  end,
}
