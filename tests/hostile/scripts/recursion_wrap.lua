-- recursion_wrap.lua - Nested coroutines: each takes C stack, and LuaJIT counts none of it.
-- expect: error plugin_error /nested too deep/
-- lives:  yes
local function f() return coroutine.wrap(f)() end
return {
  name = "recursion-wrap", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = f,
}
