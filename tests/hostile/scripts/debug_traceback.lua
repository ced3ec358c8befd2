-- debug_traceback.lua - Feeds the one function of debug that is left with levels and threads
-- that are not there.
-- expect: result {"ok":true}
return {
  name = "debug-traceback", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local dead = coroutine.create(error)
    coroutine.resume(dead)
    for _, level in ipairs { -1, -1e9, 1e9, 2 ^ 53, -2 ^ 31, 0 / 0, 1 / 0, 0 } do
      assert(not debug.traceback("x", level):find("0x"))
      pcall(debug.traceback, dead, "x", level)
      pcall(debug.traceback, coroutine.create(print), "x", level)
    end
    local function deep(n) return n == 0 and debug.traceback() or (deep(n - 1)) end
    return { ok = #deep(5000) < 65536 }
  end,
}
