-- recursion_json_decode.lua - A million brackets, for a decoder that calls itself.
-- expect: error plugin_error /json\.decode: invalid JSON at byte \d+: too deep/
-- lives:  yes
return {
  name = "recursion-json-decode", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return require("moonhook.json").decode(("["):rep(1e6)) end,
}
