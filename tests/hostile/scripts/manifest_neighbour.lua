-- manifest_neighbour.lua - Calls itself what another plugin is called.
-- expect: install refused /a plugin 'neighbour' is installed already/
return {
  name = "neighbour", version = "9.9.9", permissions = { "alerts:read" },
  on_alert = function() end,
}
