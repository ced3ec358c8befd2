-- recursion_lua.lua - A function that calls itself.
-- expect: error plugin_error /stack overflow/
-- trace:  /\.\.\./
-- lives:  yes
local function f() return 1 + f() end
return {
  name = "recursion-lua", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = f,
}
