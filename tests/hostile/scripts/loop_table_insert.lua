-- loop_table_insert.lua - Inserts two thousand million places before the first: C moves what
-- is not there.
-- expect: error timeout /longer than 300 ms/
-- lives:  no
return {
  name = "loop-table-insert", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() table.insert({ 1 }, -2 ^ 31, 1) end,
}
