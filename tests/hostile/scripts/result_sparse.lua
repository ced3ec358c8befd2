-- result_sparse.lua - A list of two items with a hundred million gaps, to be written as nulls.
-- expect: error bad_result /large gaps/
-- lives:  yes
return {
  name = "result-sparse", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { [1] = 1, [1e8] = 2 } end,
}
