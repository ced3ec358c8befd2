-- loop_error_tostring.lua - The hook fails in time; it is the reading of its error that never
-- ends.
-- expect: error timeout /300 ms/
return {
  name = "loop-error-tostring", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    error(setmetatable({}, { __tostring = function() while true do end end }))
  end,
}
