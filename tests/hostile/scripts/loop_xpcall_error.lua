-- loop_xpcall_error.lua - A handler that fails calls itself; Lua must end that.
-- expect: result {"ok":false}
return {
  name = "loop-xpcall-error", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local function handler(e) error(e) end
    return { ok = (xpcall(error, handler)) }
  end,
}
