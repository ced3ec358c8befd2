-- memory_rep_pcall.lua - The same a thousand times, catching every error: what failed must
-- have cost nothing.
-- expect: result {"got":0}
-- lives:  yes
return {
  name = "memory-rep-pcall", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local got = 0
    for i = 1, 1000 do
      if pcall(string.rep, "x", 1e9 + i) then got = got + 1 end
    end
    return { got = got }
  end,
}
