-- recursion_tostring.lua - Recursion through tostring and __tostring, in and out of C.
-- expect: error plugin_error|cpu_time /overflow|1000 ms/
local endless = setmetatable({}, {})
getmetatable(endless).__tostring = function(self) return tostring(self) end
return {
  name = "recursion-tostring", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return tostring(endless) end,
}
