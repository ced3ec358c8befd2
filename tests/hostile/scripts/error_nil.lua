-- error_nil.lua - No error value at all.
-- expect: error plugin_error /raised a nil value/
-- lives:  yes
return {
  name = "error-nil", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() error(nil) end,
}
