-- memory_concat_pcall.lua - Keeps all that it can get, catches the error, and asks for more.
-- expect: result {"failed":100}
-- lives:  yes
return {
  name = "memory-concat-pcall", version = "1.0.0", permissions = { "alerts:read" },
  limits = { memory_mb = 16 },
  on_alert = function()
    local s, failed = "x", 0
    while failed < 100 do
      local ok, longer = pcall(function() return s .. s end)
      if ok then s = longer else failed = failed + 1 end
    end
    return { failed = failed }
  end,
}
