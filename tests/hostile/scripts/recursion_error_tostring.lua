-- recursion_error_tostring.lua - The same while its error is read.
-- expect: error plugin_error /cannot be shown|overflow/
-- lives:  yes
local endless = setmetatable({}, {})
getmetatable(endless).__tostring = function(self) error(self) end
return {
  name = "recursion-error-tostring", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() error(endless) end,
}
