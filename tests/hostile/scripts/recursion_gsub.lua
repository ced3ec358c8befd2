-- recursion_gsub.lua - Recursion through gsub's callback runs the C stack over: the process
-- dies of it, and nothing else does. LuaJIT has no count that would end it before.
-- expect: error plugin_crashed /ended by signal 11/
-- lives:  no
local function f() return (("x"):gsub("x", f)) end
return {
  name = "recursion-gsub", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 3000 },
  on_alert = f,
}
