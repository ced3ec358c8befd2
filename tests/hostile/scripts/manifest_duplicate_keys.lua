-- manifest_duplicate_keys.lua - Says everything twice. Lua keeps the last word, and that is
-- what is shown and enforced.
-- expect: result {"code":"denied"}
-- open:   0
return {
  name = "manifest-duplicate-keys", version = "1.0.0",
  permissions = { "alerts:read", "http:127.0.0.2:OPEN_PORT" },
  permissions = { "alerts:read" },
  on_alert = function()
    return { code = require("moonhook.http").get("http://127.0.0.2:OPEN_PORT/").error.code }
  end,
}
