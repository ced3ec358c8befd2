-- pointer_leaks.lua - An address is half of an exploit. Looks for one in all that can be
-- turned into text.
-- expect: result {"leaks":[]}
return {
  name = "pointer-leaks", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local json, leaks = require "moonhook.json", require("moonhook.json").array()
    local co = coroutine.create(print)
    for _, value in ipairs { {}, print, co, json.null, load("return 1LL")(),
                              setmetatable({}, { __name = "x" }) } do
      for _, text in ipairs { tostring(value), string.format("%s|%10s|%.20s", value, value, value),
                              select(2, pcall(string.format, "%q", value)) or "",
                              select(2, pcall(string.format, "%d", value)) or "",
                              select(2, pcall(table.concat, { value })) or "",
                              select(2, pcall(function() return value .. {} end)) or "",
                              select(2, pcall(function() return value < {} end)) or "",
                              debug.traceback(tostring(value)) } do
        if tostring(text):find("0x%x") then leaks[#leaks + 1] = text end
      end
    end
    return { leaks = leaks }
  end,
}
