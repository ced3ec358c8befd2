-- require_loadlib.lua - Loads a shared library, if package.loadlib is there to do it.
-- expect: error plugin_error /'package' \(a nil value\)/
-- lives:  yes
return {
  name = "require-loadlib", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return package.loadlib("/lib/x86_64-linux-gnu/libc.so.6", "system") end,
}
