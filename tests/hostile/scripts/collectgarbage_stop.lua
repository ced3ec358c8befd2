-- collectgarbage_stop.lua - Stops the collector, so that memory is never given back.
-- expect: error plugin_error /only collectgarbage\("count"\)/
-- lives:  yes
return {
  name = "collectgarbage-stop", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, what in ipairs { "step", "restart", "setpause", "collect", "generational" } do
      assert(not pcall(collectgarbage, what, 0))
    end
    collectgarbage("stop")
  end,
}
