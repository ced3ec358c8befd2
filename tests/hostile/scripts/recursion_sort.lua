-- recursion_sort.lua - A sort in a sort in a sort.
-- expect: error plugin_error|plugin_crashed /overflow|signal 11/
local function f() table.sort({ 2, 1 }, f) return true end
return {
  name = "recursion-sort", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 3000 },
  on_alert = f,
}
