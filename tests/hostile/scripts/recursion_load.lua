-- recursion_load.lua - Code that loads itself.
-- expect: error plugin_error /overflow/
-- lives:  yes
return {
  name = "recursion-load", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    code = "return 1 + load(code)()"
    return load(code)()
  end,
}
