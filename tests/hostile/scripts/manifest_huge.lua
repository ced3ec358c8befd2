-- manifest_huge.lua - A description of ten megabytes.
-- expect: install refused /plugin\.lua: the manifest is too large|the JSON text is too large/
return {
  name = "manifest-huge", version = "1.0.0", permissions = {}, description = ("x"):rep(1e7),
  on_alert = function() end,
}
