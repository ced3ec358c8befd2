-- bytecode_load.lua - Bytecode can do anything to the VM. Tries each door through which text
-- becomes code.
-- expect: result {"taken":[]}
local BYTES = "\27LJ\2\2\0\1\0\0"

local function pieces()
  local at = 0
  return function()
    at = at + 1
    return at <= #BYTES and BYTES:sub(at, at) or nil
  end
end

return {
  name = "bytecode-load", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local taken = require("moonhook.json").array()
    for what, try in pairs {
      load = function() return load(BYTES) end,
      load_b = function() return load(BYTES, "x", "b") end,
      load_bt = function() return load(BYTES, "x", "bt") end,
      load_pieces = function() return load(pieces(), "x", "bt") end,
      loadstring = function() return loadstring(BYTES) end,
      loadstring_b = function() return loadstring(BYTES, "x", "b") end,
    } do
      if try() then taken[#taken + 1] = what end
    end
    return { taken = taken }
  end,
}
