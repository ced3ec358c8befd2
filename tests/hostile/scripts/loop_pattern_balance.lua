-- loop_pattern_balance.lua - %b and a frontier, over text that never balances: quadratic, and
-- then some.
-- expect: error timeout /longer than 300 ms/
-- lives:  no
return {
  name = "loop-pattern-balance", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() return ("("):rep(1e6):gsub("%b()", "") end,
}
