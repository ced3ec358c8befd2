-- result_nan.lua - Numbers that JSON does not have.
-- expect: error bad_result /no infinity and no NaN/
-- lives:  yes
return {
  name = "result-nan", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { 1, 0 / 0, math.huge } end,
}
