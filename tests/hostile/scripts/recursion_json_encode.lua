-- recursion_json_encode.lua - A million tables in each other, for an encoder that calls
-- itself.
-- expect: error plugin_error /json\.encode: a table is nested deeper than 64 levels/
-- lives:  yes
return {
  name = "recursion-json-encode", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 64 },
  on_alert = function()
    local t = {}
    for _ = 1, 5e5 do t = { t } end
    return require("moonhook.json").encode(t)
  end,
}
