-- manifest_many_permissions.lua - Permissions without end, for a reader who gives up before
-- the one that counts.
-- expect: install refused /\/permissions must be at most \d+/
local permissions = {}
for i = 1, 10000 do permissions[i] = "http:host-" .. i .. ".example" end
return {
  name = "manifest-many-permissions", version = "1.0.0", permissions = permissions,
  on_alert = function() end,
}
