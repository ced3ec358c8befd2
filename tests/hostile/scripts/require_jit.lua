-- require_jit.lua - The compiler's modules: jit.util shows bytecode and addresses, jit.opt
-- changes the compiler.
-- expect: result {"found":[]}
return {
  name = "require-jit", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local found = require("moonhook.json").array()
    for _, name in ipairs { "jit", "jit.util", "jit.opt", "jit.profile", "jit.dump", "jit.v" } do
      if pcall(require, name) then found[#found + 1] = name end
    end
    if jit then found[#found + 1] = "_G.jit" end
    return { found = found }
  end,
}
