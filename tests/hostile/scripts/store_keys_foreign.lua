-- store_keys_foreign.lua - Keys that would be somebody else's, if they were put together with
-- anything: paths, patterns, hash tags, the prefixes of Redis and of the neighbour, who keeps
-- a secret under "secret".
-- expect: result {"read":[],"listed":12}
local store, json = require "moonhook.store", require "moonhook.json"

local KEYS = { "..", "../neighbour/secret", "*", "?", "[a-z]*", "{neighbour}secret", "neighbour:secret",
               "mh:plugins", "mh:store:neighbour", "default/neighbour", "$(id)", "secret" }

return {
  name = "store-keys-foreign", version = "1.0.0", permissions = { "alerts:read", "storage" },
  on_alert = function()
    local read = json.array()
    for _, key in ipairs(KEYS) do
      if store.get(key) ~= nil then read[#read + 1] = key end
      store.set(key, key)
    end
    for _, key in ipairs(KEYS) do assert(store.get(key) == key) end
    for _, prefix in ipairs { "*", "neighbour", "secre?", ".." } do
      for _, key in ipairs(store.list(prefix)) do assert(store.get(key) == key) end
    end
    return { read = read, listed = #store.list() }
  end,
}
