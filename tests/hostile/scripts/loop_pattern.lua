-- loop_pattern.lua - One call of C that backtracks for minutes: no instruction of Lua runs in
-- between, so only the end of the process helps.
-- expect: error timeout /longer than 300 ms/
-- lives:  no
return {
  name = "loop-pattern", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() return ("a"):rep(300):find(".-.-.-.-.-b") end,
}
