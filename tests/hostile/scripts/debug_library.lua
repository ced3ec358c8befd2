-- debug_library.lua - With debug come upvalues, registries and hooks: the end of every wall
-- inside Lua.
-- expect: result {"found":["traceback"]}
return {
  name = "debug-library", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local found = {}
    for name in pairs(debug) do found[#found + 1] = name end
    if pcall(require, "debug") then found[#found + 1] = "require" end
    return { found = found }
  end,
}
