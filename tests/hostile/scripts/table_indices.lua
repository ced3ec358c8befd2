-- table_indices.lua - Indices past the end of every list, for functions that count in C.
-- expect: result {"ok":true}
return {
  name = "table-indices", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 2000, memory_mb = 16 },
  on_alert = function()
    for _, n in ipairs { 0, -1, 2 ^ 31 - 1, 2 ^ 31, -2 ^ 31, 2 ^ 53, 0 / 0 } do
      pcall(table.remove, { 1, 2 }, n)
      pcall(table.concat, { 1 }, "", n, n)
      pcall(table.concat, {}, "x", n, n + 10)
    end
    local t = { a = 1, b = 2, c = 3 }
    pcall(function() for k in pairs(t) do t[k] = nil t[k .. "x"] = 1 if #k > 100 then break end end end)
    pcall(next, {}, "no such key")
    return { ok = true }
  end,
}
