-- manifest_changes.lua - Asks for other permissions when it is started than when it was looked
-- at.
-- expect: install refused /the plugin says otherwise than when it was approved/
return {
  name = "manifest-changes", version = "1.0.0",
  permissions = { "alerts:read", "http:host-" .. math.random(1e9) .. ".example" },
  on_alert = function() end,
}
