-- tonumber_bases.lua - Bases, exponents and digits past what a number holds.
-- expect: result {"ok":true}
return {
  name = "tonumber-bases", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for base = -2, 40 do pcall(tonumber, ("z"):rep(1e5), base) end
    for _, text in ipairs { "0x" .. ("f"):rep(1e6), "1e" .. ("9"):rep(1e6),
                            "0x1p" .. ("9"):rep(1e5), "1e-999999999",
                            ("0"):rep(1e6) .. "1", "0x.", "1\0", "nan", "inf", "0b102", "1LL", "1i" } do
      tonumber(text)
      pcall(function() return text + 1 end)
    end
    return { ok = tonumber("0x10") == 16 and tonumber("10", 36) == 36 }
  end,
}
