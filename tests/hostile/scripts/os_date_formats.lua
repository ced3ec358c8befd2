-- os_date_formats.lua - Formats and times that strftime() was not made for.
-- expect: result {"ok":true}
return {
  name = "os-date-formats", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, format in ipairs { "%", "%Ez", "%E", "%O", "%!", "*t", "!*t", "", ("%c"):rep(1e4), "%\0",
                              "%999999999Y", ("x"):rep(1e6) } do
      for _, time in ipairs { 0, -1, 2 ^ 31, 2 ^ 53, -2 ^ 62, 1e308, 0 / 0 } do
        pcall(os.date, format, time)
      end
    end
    return { ok = os.date("!%Y", 0) == "1970" }
  end,
}
