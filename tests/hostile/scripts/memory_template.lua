-- memory_template.lua - A template whose one placeholder grows with every use.
-- expect: error memory /memory/
-- lives:  yes
local text = require "moonhook.text"

return {
  name = "memory-template", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local s = "{{a}}{{a}}{{a}}{{a}}"
    while true do s = text.template(s, { a = s }) end
  end,
}
