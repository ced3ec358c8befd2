-- store_values.lua - Values that are too large, too deep, or no values, and numbers that no
-- sum is made of.
-- expect: result {"kept":[]}
local store, json = require "moonhook.store", require "moonhook.json"

return {
  name = "store-values", version = "1.0.0", permissions = { "alerts:read", "storage" },
  limits = { memory_mb = 64 },
  on_alert = function()
    local kept, deep, cycle = json.array(), {}, {}
    for _ = 1, 1e5 do deep = { deep } end
    cycle.cycle = cycle
    for i, value in ipairs { ("x"):rep(5e6), ("x"):rep(70000), deep, cycle, print, 0 / 0, math.huge } do
      if pcall(store.set, "value", value) then kept[#kept + 1] = "set " .. i end
    end
    for _, by in ipairs { 0 / 0, 1 / 0, 1e308, 0.5, "1", {} } do
      if pcall(store.incr, "count", by) then kept[#kept + 1] = "incr " .. tostring(by) end
    end
    for _, ttl_s in ipairs { 0, -1, 0 / 0, 1 / 0, 1e308, "1" } do
      if pcall(store.set, "late", 1, { ttl_s = ttl_s }) then kept[#kept + 1] = "ttl " .. tostring(ttl_s) end
    end
    return { kept = kept }
  end,
}
