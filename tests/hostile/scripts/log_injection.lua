-- log_injection.lua - Line breaks that forge a line of the engine's log, and bytes that make a
-- terminal act.
-- expect: result {"ok":true}
-- logs:   8
local log = require "moonhook.log"

return {
  name = "log-injection", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, text in ipairs {
      "a\nlevel=error msg=forged", "a\r\nlevel=error msg=forged", "\27[2J\27[31mred",
      "\27]0;title\7", "\155\051\049m", 'quote " text="x', "\0", "\226\128\174reversed",
    } do
      log.warn(text)
    end
    return { ok = true }
  end,
}
