-- poison_string_metatable.lua - The metatable of all strings, shared by every hook and the
-- SDK.
-- expect: error plugin_error /attempt to index a boolean value/
-- lives:  yes
return {
  name = "poison-string-metatable", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    assert(not pcall(setmetatable, "", { __index = {} }))
    getmetatable("").__index = function() return print end
  end,
}
