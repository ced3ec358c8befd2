-- os_exit.lua - Ends the process, to look as if it were moonhook's fault.
-- expect: error plugin_error /'exit' \(a nil value\)/
-- lives:  yes
return {
  name = "os-exit", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() os.exit(0) end,
}
