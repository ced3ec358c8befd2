-- coroutine_tricks.lua - Looks for a way around the wrappers of the coroutine library: the
-- hook as a value, what a request yields, a coroutine that is resumed twice.
-- expect: result {"running":"nil","yields":[],"twice":false}
local http = require "moonhook.http"

return {
  name = "coroutine-tricks", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local yields = require("moonhook.json").array()
    local co = coroutine.create(function() return http.get("http://nowhere.example/").error.code end)
    local _, got = coroutine.resume(co)
    if got ~= "denied" then yields[1] = type(got) end
    local self
    self = coroutine.create(function() return coroutine.resume(self) end)
    local _, twice = coroutine.resume(self)
    pcall(coroutine.resume, nil)
    pcall(coroutine.status, 1)
    pcall(coroutine.wrap(function() error(coroutine.running()) end))
    return { running = type(coroutine.running()), yields = yields, twice = twice }
  end,
}
