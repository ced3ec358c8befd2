-- store_byte_flood.lua - Few keys, much in them.
-- expect: error limit /limits\.store_kb/
-- limit:  store_kb
local store = require "moonhook.store"

return {
  name = "store-byte-flood", version = "1.0.0", permissions = { "alerts:read", "storage" },
  limits = { store_kb = 200 },
  on_alert = function()
    for i = 1, 100 do store.set("key " .. i, ("x"):rep(60000)) end
  end,
}
