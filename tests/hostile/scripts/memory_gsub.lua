-- memory_gsub.lua - Few bytes in, many out.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-gsub", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function() return #("x"):rep(1e4):gsub(".", ("y"):rep(1e5)) end,
}
