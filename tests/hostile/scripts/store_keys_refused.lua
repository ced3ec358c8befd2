-- store_keys_refused.lua - Keys that are no text, or more than one key to somebody.
-- expect: result {"kept":[]}
local store, json = require "moonhook.store", require "moonhook.json"

return {
  name = "store-keys-refused", version = "1.0.0", permissions = { "alerts:read", "storage" },
  on_alert = function()
    local kept = json.array()
    for i, key in ipairs {
      "", "\0", "a\0b", "a\r\nSET x y", "\27[31m", "\127", "\255", "\192\175", "\237\160\128",
      ("x"):rep(201), ("x"):rep(1e6), 1, true, {}, print, json.null,
    } do
      if pcall(store.set, key, 1) or pcall(store.get, key) then
        kept[#kept + 1] = i
      end
    end
    return { kept = kept }
  end,
}
