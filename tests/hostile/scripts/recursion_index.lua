-- recursion_index.lua - A chain of a million __index, and one that bites its tail.
-- expect: result {"long":false,"cycle":false}
return {
  name = "recursion-index", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 64 },
  on_alert = function()
    local t, cycle = {}, {}
    for _ = 1, 1e5 do t = setmetatable({}, { __index = t }) end
    setmetatable(cycle, { __index = cycle })
    return { long = (pcall(function() return t.x end)), cycle = (pcall(function() return cycle.x end)) }
  end,
}
