-- loop_coroutine.lua - Coroutines that swallow every error, made faster than they are ended.
-- expect: error timeout /300 ms/
return {
  name = "loop-coroutine", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    while true do
      local co = coroutine.create(function() while true do end end)
      coroutine.resume(co)
    end
  end,
}
