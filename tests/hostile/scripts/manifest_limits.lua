-- manifest_limits.lua - Asks for more time and memory than there is.
-- expect: install refused /\/limits\/\w+ must be a whole number, 1 to \d+/
return {
  name = "manifest-limits", version = "1.0.0", permissions = {},
  limits = { timeout_ms = 1e308, memory_mb = -1 },
  on_alert = function() end,
}
