-- newproxy_gc.lua - A finalizer that loops cannot be stopped from inside. Tables have none in
-- LuaJIT, and what has one cannot be made: newproxy is gone, metatables of userdata are
-- locked.
-- expect: result {"newproxy":"nil","ran":0,"locked":true}
return {
  name = "newproxy-gc", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local ran = 0
    local mt = { __gc = function() ran = ran + 1 while true do end end }
    for _ = 1, 1e5 do setmetatable({}, mt) end
    local big = require("moonhook.json").decode("9223372036854775807")
    return { newproxy = type(newproxy), ran = ran, locked = getmetatable(big) == false }
  end,
}
