-- store_denied.lua - Keeps something without the permission to.
-- expect: error denied /storage/
local store = require "moonhook.store"

return {
  name = "store-denied", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() store.set("key", 1) end,
}
