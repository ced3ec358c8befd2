-- os_and_io.lua - Files, programs and the environment.
-- expect: result {"found":[]}
return {
  name = "os-and-io", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local found = require("moonhook.json").array()
    for _, name in ipairs { "execute", "getenv", "remove", "rename", "tmpname", "setlocale" } do
      if os[name] then found[#found + 1] = "os." .. name end
    end
    for _, name in ipairs { "io", "dofile", "loadfile", "module", "package" } do
      if _G[name] then found[#found + 1] = name end
    end
    return { found = found }
  end,
}
