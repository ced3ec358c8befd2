-- boot.lua - the part of a plugin's environment that is written in Lua. Run once,
-- before any plugin; cannot be required.
--
-- Coroutines of the plugin's own may call the SDK: a request that one of them yields
-- is passed on outwards, through whoever resumed it, to the host, and the reply comes
-- back the same way. The whole hook is suspended meanwhile.
local _, native = ...

local REQUEST = native.REQUEST
local MOST_NESTED = 100                     -- deeper, the C stack would run out

local error, select, tostring, type = error, select, tostring, type
local concat = table.concat

---------------------------------------------------------------------- coroutines

local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local running = coroutine.running

local level = setmetatable({}, { __mode = "k" })    -- how deep; of the plugin's own only
local waiting = setmetatable({}, { __mode = "k" })  -- for the reply to a request

local go_on

local function pass(co, ok, first, ...)
  if ok and first == REQUEST then
    waiting[co] = true
    return go_on(co, yield(REQUEST))
  end
  return ok, first, ...
end

function go_on(co, ...)
  waiting[co] = nil
  return pass(co, resume(co, ...))
end

function coroutine.create(f)
  local co = create(f)
  level[co] = 0
  return co
end

function coroutine.resume(co, ...)
  if not level[co] then
    error("bad argument #1 to 'resume' (coroutine expected)", 2)
  end
  if waiting[co] then
    return false, "cannot resume a coroutine that waits for moonhook"
  end
  local deep = (level[running()] or 0) + 1
  if deep > MOST_NESTED then
    return false, "coroutines are nested too deep"
  end
  level[co] = deep
  return pass(co, resume(co, ...))
end

local own_create, own_resume = coroutine.create, coroutine.resume

local function unwrap(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

function coroutine.wrap(f)
  local co = own_create(f)
  return function(...) return unwrap(own_resume(co, ...)) end
end

-- A hook is not to be had as a value: who holds it could resume it.
function coroutine.running()
  local co = running()
  return level[co] and co or nil
end

------------------------------------------------------------------------- chunks

local load_any = load

function load(chunk, name, mode, ...)
  if mode == "b" then return nil, "moonhook takes no bytecode" end
  return load_any(chunk, name, "t", ...)
end

function loadstring(text, name)
  if type(text) ~= "string" then
    error("bad argument #1 to 'loadstring' (string expected, got " .. type(text) .. ")", 2)
  end
  return load_any(text, name, "t")
end

------------------------------------------------------------------------- the rest

local collect = collectgarbage

function collectgarbage(what)
  if what ~= "count" then error("only collectgarbage(\"count\") is available in plugins", 2) end
  return collect("count")
end

function print(...)
  local words = { ... }
  for i = 1, select("#", ...) do words[i] = tostring(words[i]) end
  native.log("info", concat(words, "\t"))
end
