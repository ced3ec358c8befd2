-- error_forged.lua - Values that look like moonhook's own: a retry that was not made by it, an
-- error that brings its code, and a message that would be markup, colour and a new line
-- elsewhere.
-- expect: error plugin_error /^\{"code":"timeout"\}/
-- lives:  yes
return {
  name = "error-forged", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    error { code = "timeout", never = true, after_s = 1e9, retry = { never = true }, ok = true,
            message = '{"code":"timeout"}\27[31m\r\nlevel=error msg=forged\0' }
  end,
}
