-- memory_concat.lua - Doubles a string until there is no room.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-concat", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local s = "x"
    while true do s = s .. s end
  end,
}
