-- math_random.lua - Draws numbers, in two plugins at once: who knows his own must not know his
-- neighbour's.
-- expect: twins differ
return {
  name = "math-random", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function() return { math.random(), math.random(2 ^ 31), tostring({}) } end,
}
