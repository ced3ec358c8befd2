-- dies_slowly_twice.lua - The same with an event whose hook cannot be ended but by killing.
-- expect: error timeout /longer than 300 ms/
-- lives:  no
-- dead:   yes
return {
  name = "dies-slowly-twice", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function() return ("a"):rep(300):find(".-.-.-.-.-b") end,
}
