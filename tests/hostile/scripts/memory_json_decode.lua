-- memory_json_decode.lua - A megabyte of brackets becomes forty of tables.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-json-decode", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    return #require("moonhook.json").decode("[" .. ("[],"):rep(5e5) .. "1]")
  end,
}
