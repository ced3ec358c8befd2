-- format_wide.lua - Widths and precisions past every buffer of C.
-- expect: result {"refused":4,"longest":409}
return {
  name = "format-wide", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local refused, longest = 0, 0
    for _, format in ipairs { "%.99f", "%99.99f", "%-99.99e", "%099.99g", "%100d", "%.100f",
                              "%1000s", "%9999999999d" } do
      local ok, text = pcall(string.format, format, 1.7e308)
      if ok then longest = math.max(longest, #text) else refused = refused + 1 end
    end
    return { refused = refused, longest = longest }
  end,
}
