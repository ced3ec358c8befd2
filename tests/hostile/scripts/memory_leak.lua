-- memory_leak.lua - Keeps what every event brings, so that after some events no hook has memory.
-- The event that finds none fails, its process ends, and the next event is served by a new one.
-- expect: result 5000
-- asked:  5
-- lives:  no
local all = {}

return {
  name = "memory-leak", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    for i = 1, 5000 do all[#all + 1] = ("x"):rep(1000) .. #all .. i end
    return #all
  end,
}
