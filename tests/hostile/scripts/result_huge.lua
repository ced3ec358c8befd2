-- result_huge.lua - More than a record keeps.
-- expect: error bad_result /too large/
-- limit:  result_kb
-- lives:  yes
return {
  name = "result-huge", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { text = ("x"):rep(5e6) } end,
}
