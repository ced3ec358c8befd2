-- dies_twice.lua - An event that kills its process. It gets a second chance and no third: it
-- is a dead letter then, whatever the schedule still holds.
-- expect: error plugin_crashed /ended by signal 11/
-- lives:  no
-- dead:   yes
local function f() return (("x"):gsub("x", f)) end
return {
  name = "dies-twice", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 3000 },
  on_alert = f,
}
