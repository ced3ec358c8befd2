-- log_huge.lua - Lines of megabytes, values that cannot be printed, formats that do not fit.
-- expect: result {"ok":true}
-- logs:   6
local log = require "moonhook.log"

return {
  name = "log-huge", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local cycle = {}
    cycle.cycle = cycle
    log.info(("x"):rep(5e6))
    log.info("%s %d", cycle, "x")
    log.info("%99999d", 1)
    log.info(cycle, nil, print, 0 / 0)
    print(nil, cycle, coroutine.create(print))
    pcall(log.info, setmetatable({}, { __tostring = function() error("no") end }))
    return { ok = true }
  end,
}
