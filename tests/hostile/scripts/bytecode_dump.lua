-- bytecode_dump.lua - Asks Lua itself for bytecode, to change it and load it again.
-- expect: error plugin_error /attempt to call field 'dump' \(a nil value\)/
-- trace:  /plugin\.lua:\d+/
-- lives:  yes
return {
  name = "bytecode-dump", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local code = string.dump(function() return 1 end)
    return load(code:gsub("\1", "\2"))()
  end,
}
