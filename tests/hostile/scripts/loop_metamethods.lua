-- loop_metamethods.lua - Loops that are hidden in operators.
-- expect: error timeout /300 ms/
-- trace:  /plugin\.lua:\d+/
-- lives:  yes
local function spin() while true do end end
return {
  name = "loop-metamethods", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    local x = setmetatable({}, { __add = spin, __concat = spin, __index = spin, __eq = spin })
    pcall(function() return x + 1 end)
    return x .. x.y
  end,
}
