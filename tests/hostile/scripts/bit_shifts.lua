-- bit_shifts.lua - Shifts and conversions by more bits than there are.
-- expect: result {"ok":true}
return {
  name = "bit-shifts", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, n in ipairs { 32, 64, -1, 2 ^ 31, 2 ^ 53, 1e308, 0 / 0, "7", "0x10" } do
      for _, f in pairs(bit) do pcall(f, n, n, n) end
    end
    pcall(bit.tohex, 1, 1e9)
    pcall(bit.band, unpack({}, 1, 100))
    return { ok = bit.tohex(255) == "000000ff" }
  end,
}
