-- sort_evil_comparator.lua - A comparator that says yes to everything, one that changes the
-- list, one that yields.
-- expect: result {"ok":true}
return {
  name = "sort-evil-comparator", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 2000 },
  on_alert = function()
    local function list()
      local t = {}
      for i = 1, 200 do t[i] = (i * 7919) % 200 end
      return t
    end
    pcall(table.sort, list(), function() return true end)
    local t = list()
    pcall(table.sort, t, function(a, b) t[#t] = nil t[#t + 2] = {} return a < b end)
    pcall(table.sort, list(), function() coroutine.yield() end)
    pcall(table.sort, list(), function() error(nil) end)
    pcall(table.sort, setmetatable({}, { __len = function() return 1e9 end }))
    pcall(table.sort, { 1, "x", {}, print })
    return { ok = true }
  end,
}
