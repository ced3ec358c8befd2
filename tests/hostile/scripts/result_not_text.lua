-- result_not_text.lua - Bytes that are no UTF-8, NUL and control characters, in values and
-- names.
-- expect: error bad_result /a field's name is not UTF-8 text/
-- lives:  yes
return {
  name = "result-not-text", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { ["a\255\0b"] = 1 } end,
}
