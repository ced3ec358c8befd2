-- poison_sdk_metatables.lua - The metatables of what the SDK hands out: who could write to
-- them could speak for moonhook.
-- expect: result {"open":[]}
local json, retry = require "moonhook.json", require "moonhook.retry"

return {
  name = "poison-sdk-metatables", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local open = json.array()
    for what, value in pairs { null = json.null, array = json.array(), retry = retry.after(1),
                               int64 = json.decode("9007199254740993") } do
      if type(getmetatable(value)) == "table" then open[#open + 1] = what end
      if type(value) ~= "table" and pcall(setmetatable, value, {}) then open[#open + 1] = what end
    end
    return { open = open }
  end,
}
