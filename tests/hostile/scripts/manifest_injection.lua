-- manifest_injection.lua - A name that is JSON, in the hope that somebody puts texts together.
-- expect: install refused /\/name must be 1 to 40 of a-z 0-9/
return {
  name = 'x","permissions":["jit","events:read"],"y":"', version = "1.0.0", permissions = {},
  on_alert = function() end,
}
