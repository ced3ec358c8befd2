-- poison_everything.lua - Empties its own globals and libraries. Only this process is poorer
-- for it.
-- expect: result 1
return {
  name = "poison-everything", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local all, each, kind = _G, pairs, type
    for _, library in each(all) do
      if kind(library) == "table" and library ~= all then
        for name in each(library) do library[name] = nil end
      end
    end
    for name in each(all) do all[name] = nil end
    return 1
  end,
}
