-- sign_timing.lua - Measures how long a comparison takes: texts that differ in their first
-- byte, against texts that differ in the last of 60,000. One that stops at the first
-- difference is told by its time.
-- expect: result {"told":false}
local sign, time = require "moonhook.sign", require "moonhook.time"

local function fastest(a, b)
  local best = math.huge
  for _ = 1, 5 do
    local began = time.now()
    for _ = 1, 20 do assert(not sign.equal(a, b)) end
    best = math.min(best, time.now() - began)
  end
  return best
end

return {
  name = "sign-timing", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 9000, cpu_ms = 2000 },
  on_alert = function()
    local rest = ("x"):rep(60000)
    local early, late = fastest("a" .. rest, "b" .. rest), fastest(rest .. "a", rest .. "b")
    return { told = late > 2 * early or early > 2 * late }
  end,
}
