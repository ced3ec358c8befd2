-- result_metamethods.lua - Metamethods that lie about a table, and would run in the middle of
-- the encoder.
-- expect: result {"a":1}
return {
  name = "result-metamethods", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local function evil() while true do end end
    return setmetatable({ a = 1 }, { __index = evil, __pairs = evil, __len = evil, __tostring = evil,
                                     __call = evil, __newindex = evil, __metatable = "x" })
  end,
}
