-- memory_gsub_pcall.lua - The same inside pcall, and then again in the same hook.
-- expect: result {"first":false,"second":false}
-- lives:  yes
return {
  name = "memory-gsub-pcall", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local function bomb() return #("x"):rep(1e4):gsub(".", ("y"):rep(1e5)) end
    return { first = (pcall(bomb)), second = (pcall(bomb)) }
  end,
}
