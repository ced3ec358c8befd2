-- require_paths.lua - Names that walk out of the plugin's folder, into moonhook's own files,
-- or end early.
-- expect: result {"found":[]}
return {
  name = "require-paths", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local found = require("moonhook.json").array()
    for _, name in ipairs {
      "../plugin", "..plugin", "/etc/passwd", "./plugin", "moonhook.boot", "moonhook.boot\0x",
      "moonhook./boot", "moonhook..boot", "moonhook/boot", "moonhook", "moonhook.",
      "moonhook.http.lua", "plugin.lua", "", ".", "\0", "_G", "os", "io", "package", "cjson",
      "moonhook.native", "moonhook." .. ("x"):rep(1e6), ("."):rep(1e6),
    } do
      if pcall(require, name) then found[#found + 1] = name end
    end
    return { found = found }
  end,
}
