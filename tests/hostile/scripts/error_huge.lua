-- error_huge.lua - A hundred megabytes as an error, in as many as it may have.
-- expect: error memory|plugin_error /memory|^x+$/
-- lives:  yes
return {
  name = "error-huge", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 64 },
  on_alert = function()
    pcall(error, ("x"):rep(1e8))
    error(("x"):rep(3e7), 0)
  end,
}
