-- memory_rep.lua - One string of a gigabyte.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-rep", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function() return #("x"):rep(1e9) end,
}
