-- memory_table_concat.lua - A million references to one long string, joined.
-- expect: error memory /memory/
-- lives:  yes
return {
  name = "memory-table-concat", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local parts, part = {}, ("x"):rep(10000)
    for i = 1, 1e5 do parts[i] = part end
    return #table.concat(parts)
  end,
}
