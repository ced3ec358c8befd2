-- pointer_format.lua - "%p" in all its spellings.
-- expect: result {"formatted":[]}
return {
  name = "pointer-format", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local formatted = require("moonhook.json").array()
    for _, format in ipairs { "%p", "%5p", "%-5p", "%+p", "%#p", "%05.3p", "% p", "%%%p", "%s%p",
                              "\0%p", "%1$p" } do
      if pcall(string.format, format, {}, {}) then formatted[#formatted + 1] = format end
      if pcall(function() return format:format({}, {}) end) then formatted[#formatted + 1] = format end
    end
    return { formatted = formatted }
  end,
}
