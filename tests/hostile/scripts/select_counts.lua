-- select_counts.lua - Counts and indices past both ends of the stack.
-- expect: result {"count":0,"last":3}
return {
  name = "select-counts", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, n in ipairs { 0, -4, 2 ^ 31, -2 ^ 31, 2 ^ 53, 0 / 0, 1 / 0 } do pcall(select, n, 1, 2, 3) end
    pcall(string.byte, ("x"):rep(1e6), 1, -1)
    pcall(string.char, unpack({}, 1, 200))
    return { count = select("#"), last = (select(-1, 1, 2, 3)) }
  end,
}
