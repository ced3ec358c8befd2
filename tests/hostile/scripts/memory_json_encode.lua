-- memory_json_encode.lua - Sixty tables that each hold the next one twice: 2^60 of them, once
-- written down.
-- expect: error plugin_error /plugin\.lua:\d+: json\.encode: the JSON text is too large/
-- lives:  yes
return {
  name = "memory-json-encode", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local t = {}
    for _ = 1, 60 do t = { t, t } end
    return #require("moonhook.json").encode(t)
  end,
}
