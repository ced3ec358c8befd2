---@meta moonhook.store
local store = {}

---@class moonhook.store.Options
---@field ttl_s? number             gone after so many seconds

---@class moonhook.store.Page
---@field limit? integer            1 to 1000
---@field after? string             the key behind which to begin

---The value, or nil where there is none.
---@param key string                1 to 200 bytes of UTF-8 without control characters
---@return any
function store.get(key) end

---@param key string
---@param value any                 what JSON has, at most 64 KiB
---@param options? moonhook.store.Options
function store.set(key, value, options) end

---@param key string
---@return boolean existed
function store.delete(key) end

---Adds to a whole number, which is 0 where there is none. ttl_s is that of a new one.
---@param key string
---@param by? integer               1 where not given
---@param options? moonhook.store.Options
---@return integer sum
function store.incr(key, by, options) end

---Sets the value if the present one is `expected` (nil: if there is none).
---@param key string
---@param expected any
---@param value any
---@param options? moonhook.store.Options
---@return boolean done
function store.cas(key, expected, value, options) end

---Keys that begin with `prefix`, sorted by their bytes.
---@param prefix? string
---@param options? moonhook.store.Page
---@return string[] keys
---@return string? after            where there are more: for the next call
function store.list(prefix, options) end

return store
