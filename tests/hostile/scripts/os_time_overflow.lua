-- os_time_overflow.lua - Dates outside of every calendar.
-- expect: result {"ok":true}
return {
  name = "os-time-overflow", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local time = require "moonhook.time"
    for _, n in ipairs { 2 ^ 31, -2 ^ 31, 2 ^ 53, 1e308, -1e308, 0 / 0, 1 / 0 } do
      pcall(os.time, { year = n, month = n, day = n, hour = n, min = n, sec = n })
      pcall(os.date, "*t", n)
      pcall(time.iso, n)
      pcall(os.difftime, n, n)
    end
    for _, text in ipairs { "9999-99-99T99:99:99Z", ("1"):rep(1e6), "1970-01-01T00:00:00+99:99", "\0" } do
      time.parse(text)
    end
    return { ok = time.iso(0) == "1970-01-01T00:00:00.000Z" }
  end,
}
