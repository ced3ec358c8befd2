-- memory_coroutines.lua - Stacks instead of tables.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-coroutines", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local all = {}
    while true do all[#all + 1] = coroutine.wrap(print) end
  end,
}
