-- rep_counts.lua - Counts below nothing and past everything, of strings with and without
-- bytes.
-- expect: result {"ok":true}
return {
  name = "rep-counts", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 1000, memory_mb = 16 },
  on_alert = function()
    for _, n in ipairs { -1, -2 ^ 31, -2 ^ 63, 2 ^ 31 - 1, 2 ^ 31, 2 ^ 32, 2 ^ 53, 1 / 0, 0 / 0 } do
      pcall(string.rep, "", n)
      pcall(string.rep, "x", n)
      pcall(string.rep, "x", n, "y")
      pcall(string.rep, "", n, "")
      pcall(string.sub, "abc", n, n)
      pcall(string.byte, "abc", n, n)
    end
    return { ok = ("x"):rep(-5) == "" }
  end,
}
