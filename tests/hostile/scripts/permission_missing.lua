-- permission_missing.lua - Has a hook for alerts, and no permission to read them.
-- expect: nothing
return {
  name = "permission-missing", version = "1.0.0", permissions = {},
  on_alert = function(alert) return alert end,
}
