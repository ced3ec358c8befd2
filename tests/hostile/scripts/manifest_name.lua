-- manifest_name.lua - A name that is a path, and a key of Redis.
-- expect: install refused /\/name must be 1 to 40 of a-z 0-9/
return {
  name = "../neighbour*\0", version = "1.0.0", permissions = {},
  on_alert = function() end,
}
