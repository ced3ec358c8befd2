-- manifest_deep.lua - A configuration that is nested without end, and holds itself.
-- expect: install refused /plugin\.lua: config: a table is nested deeper than 64 levels/
local field = { type = "string" }
field.default = field
return {
  name = "manifest-deep", version = "1.0.0", permissions = {}, config = { field = field },
  on_alert = function() end,
}
