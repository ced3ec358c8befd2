-- load_endless_name.lua - Hands the compiler one identifier that never ends.
-- expect: result {"loaded":false,"why":"not enough memory"}
-- lives:  yes
return {
  name = "load-endless-name", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 3000, memory_mb = 16 },
  on_alert = function()
    local piece = ("x"):rep(100000)
    local code, why = load(function() return piece end)
    return { loaded = code ~= nil, why = why }
  end,
}
