-- moonhook.store - what a plugin keeps between events: values by key, for each org apart.
--
--   if store.incr("seen:" .. alert.id, 1, { ttl_s = 3600 }) > 1 then return end
--   store.set("incident", { id = 5 })          any value that JSON has; nil: delete()
--   local incident = store.get("incident")     nil where there is none
--   store.cas("lock", nil, ctx.delivery_id, { ttl_s = 30 })      true: it was free
--
-- Each call is atomic, whoever else is at it. Needs the permission "storage"; quota:
-- limits.store_keys and limits.store_kb, per org. A key is 1 to 200 bytes of UTF-8 without
-- control characters, a value at most 64 KiB as JSON.
local _, native = ...

require "moonhook.retry"

local error, floor, pairs, tostring, type = error, math.floor, pairs, tostring, type
local find = string.find
local ask, decode, encode = native.ask, native.decode, native.encode

local store = {}

-- Of the functions below: the line that an error names is that of whoever called them.
local LEVEL = 3

-- JSON would make one key of several that are no UTF-8.
local function check_key(what, key)
  if type(key) ~= "string" then
    error(what .. ": the key must be a string, not a " .. type(key), LEVEL)
  end
  if decode(encode(key)) ~= key or find(key, "[%z\1-\31\127]") then
    error(what .. ": a key must be 1 to 200 bytes of UTF-8 without control characters", LEVEL)
  end
end

local function check_options(what, options, allowed, level)
  if options == nil then return {} end
  if type(options) ~= "table" then error(what .. ": the options must be a table", level) end
  for name, value in pairs(options) do
    local wanted = allowed[name]
    if not wanted then error(what .. ": there is no option '" .. tostring(name) .. "'", level) end
    if type(value) ~= wanted then
      error(what .. ": " .. name .. " must be a " .. wanted .. ", not a " .. type(value), level)
    end
  end
  return options
end

local LIVE = { ttl_s = "number" }

local function live_ms(what, options)
  local ttl_s = check_options(what, options, LIVE, LEVEL + 1).ttl_s
  if ttl_s == nil then return nil end
  if not (ttl_s > 0 and ttl_s < 1e10) then
    error(what .. ": ttl_s must be more than 0 and at most ten years", LEVEL)
  end
  local ms = floor(ttl_s * 1000)
  return ms > 0 and ms or 1
end

local function text_of(what, value)
  if value == nil then
    error(what .. ": a value was expected; json.null can be kept, nil cannot", LEVEL)
  end
  local text, why = encode(value)
  if not text then error(what .. ": " .. why, LEVEL) end
  return text
end

function store.get(key)
  check_key("store.get", key)
  local reply, text = ask("store.get", { op = "store", what = "get", key = key })
  if not reply.found then return nil end
  return (decode(text))
end

-- Without ttl_s the value stays until it is deleted.
function store.set(key, value, options)
  check_key("store.set", key)
  local text = text_of("store.set", value)
  local ms = live_ms("store.set", options)
  ask("store.set", { op = "store", what = "set", key = key, live_ms = ms }, text)
end

-- Whether there was one.
function store.delete(key)
  check_key("store.delete", key)
  local reply = ask("store.delete", { op = "store", what = "delete", key = key })
  return reply.done
end

-- Adds `by` (1) to a whole number, which is 0 where there is none; gives the sum. ttl_s
-- is that of a new one: counting does not put its end off.
function store.incr(key, by, options)
  check_key("store.incr", key)
  if by ~= nil and (type(by) ~= "number" or by ~= floor(by)) then
    error("store.incr: the step must be a whole number", 2)
  end
  local ms = live_ms("store.incr", options)
  local reply = ask("store.incr", { op = "store", what = "incr", key = key, by = by, live_ms = ms })
  return reply.number
end

-- Sets the value if the present one is `expected` (nil: if there is none); whether it did.
function store.cas(key, expected, value, options)
  check_key("store.cas", key)
  local before = expected ~= nil and text_of("store.cas", expected) or nil
  local text = text_of("store.cas", value)
  local ms = live_ms("store.cas", options)
  local reply = ask("store.cas", { op = "store", what = "cas", key = key, live_ms = ms,
                                   expected_bytes = before and #before }, (before or "") .. text)
  return reply.done
end

local PAGE = { after = "string", limit = "number" }

-- Keys that begin with `prefix`, sorted by their bytes, at most options.limit (1000) of
-- them; and, where there are more, what to pass as options.after to go on.
function store.list(prefix, options)
  if prefix ~= nil then check_key("store.list", prefix) end
  local page = check_options("store.list", options, PAGE, LEVEL)
  if page.after then check_key("store.list", page.after) end
  local reply, text = ask("store.list", { op = "store", what = "list", prefix = prefix,
                                          key = page.after, limit = page.limit })
  local keys = decode(text)
  return keys, reply.more and keys[#keys] or nil
end

return store
