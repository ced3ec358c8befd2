-- loop_table_move.lua - A library function that is asked to move a billion items that are not
-- there.
-- expect: error timeout /300 ms/
-- trace:  /move/
return {
  name = "loop-table-move", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() return table.move({}, 1, 1e9, 2) end,
}
