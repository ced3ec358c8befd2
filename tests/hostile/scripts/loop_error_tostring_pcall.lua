-- loop_error_tostring_pcall.lua - The same, and the error of the deadline is swallowed there.
-- expect: error timeout /300 ms/
return {
  name = "loop-error-tostring-pcall", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    error(setmetatable({}, { __tostring = function()
      while true do pcall(function() while true do end end) end
    end }))
  end,
}
