-- result_slow.lua - Half a megabyte of empty slots, looked through once for each of a hundred
-- thousand references: nearly nothing to write, and no end to it. It is C that is slow here.
-- expect: error timeout /longer than 300 ms/
-- lives:  no
return {
  name = "result-slow", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    local hollow, list = {}, {}
    for i = 1, 30000 do hollow["k" .. i] = i end
    for i = 1, 30000 do hollow["k" .. i] = nil end
    for i = 1, 80000 do list[i] = hollow end
    return list
  end,
}
