-- result_deep.lua - Half a million tables in each other.
-- expect: error bad_result /deeper than 64 levels/
-- lives:  yes
return {
  name = "result-deep", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 64 },
  on_alert = function()
    local t = {}
    for _ = 1, 5e5 do t = { t } end
    return t
  end,
}
