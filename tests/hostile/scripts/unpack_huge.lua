-- unpack_huge.lua - A hundred million values on one stack.
-- expect: error plugin_error /too many results to unpack/
-- lives:  yes
return {
  name = "unpack-huge", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, to in ipairs { 2 ^ 31 - 1, 2 ^ 31, 2 ^ 53, 1 / 0 } do pcall(unpack, {}, 1, to) end
    for _, to in ipairs { 2 ^ 31 - 1, -2 ^ 31 } do pcall(unpack, {}, to, to) end
    return select("#", unpack({}, 1, 1e8))
  end,
}
