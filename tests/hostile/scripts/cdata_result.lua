-- cdata_result.lua - A value that is neither Lua's nor JSON's, as a result.
-- expect: error bad_result /cannot be written as JSON/
-- lives:  yes
return {
  name = "cdata-result", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { n = load("return 1LL")() } end,
}
