-- loop_pattern_gsub.lua - The same through gsub, with captures.
-- expect: error timeout /longer than 300 ms/
-- lives:  no
return {
  name = "loop-pattern-gsub", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() return ("a"):rep(2000):gsub("(a-)(a-)(a-)(a-)b%1", "%2") end,
}
