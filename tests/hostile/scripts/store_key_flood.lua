-- store_key_flood.lua - Keys without end.
-- expect: error limit /limits\.store_keys/
-- limit:  store_keys
local store = require "moonhook.store"

return {
  name = "store-key-flood", version = "1.0.0", permissions = { "alerts:read", "storage" },
  limits = { store_keys = 50 },
  on_alert = function()
    for i = 1, 1e6 do store.set("key " .. i, i) end
  end,
}
