-- loop_coroutine_for.lua - An iterator that is a coroutine and never ends.
-- expect: error timeout /plugin\.lua:\d+: .*300 ms/
-- trace:  /plugin\.lua:\d+/
-- lives:  yes
return {
  name = "loop-coroutine-for", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end
  end,
}
