-- recursion_pcall.lua - Recursion through pcall, which catches the overflow on every level.
-- expect: result {"ok":true}
-- lives:  yes
local function f() return pcall(f) end
return {
  name = "recursion-pcall", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { ok = (f()) } end,
}
