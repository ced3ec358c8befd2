-- require_string_buffer.lua - string.buffer's ref() hands out raw memory, without ffi.
-- expect: error plugin_error /there is no module 'string\.buffer'/
-- lives:  yes
return {
  name = "require-string-buffer", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return require("string.buffer").new():ref() end,
}
