-- memory_tables.lua - Tables in tables.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-tables", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local t = {}
    while true do t = { t, { t }, [("k"):rep(50)] = t } end
  end,
}
