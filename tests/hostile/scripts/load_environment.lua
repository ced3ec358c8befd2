-- load_environment.lua - Runs code in an environment of its own and looks for a way from there
-- to more than a plugin has.
-- expect: result {"globals":"nil","found":"nil","kept":true}
return {
  name = "load-environment", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local seen = {}
    local env = setmetatable({}, { __index = function(_, name) seen[name] = true return _G[name] end })
    local found = load("return io or ffi or jit or package or native", "=x", "t", env)()
    return { globals = type(load("return _G", "=x", "t", {})()), found = type(found), kept = seen.io }
  end,
}
