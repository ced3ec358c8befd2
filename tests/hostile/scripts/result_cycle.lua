-- result_cycle.lua - A result that holds itself.
-- expect: error bad_result /what the hook returned: .*holds itself/
-- lives:  yes
return {
  name = "result-cycle", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local a, b = {}, {}
    a.b, b.a = b, a
    return a
  end,
}
