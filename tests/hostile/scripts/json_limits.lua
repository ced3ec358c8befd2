-- json_limits.lua - lua-cjson lets a script raise its own limits. This encoder has none to
-- change.
-- expect: result {"found":[]}
local json = require "moonhook.json"

return {
  name = "json-limits", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local found = json.array()
    for _, name in ipairs { "encode_max_depth", "decode_max_depth", "encode_sparse_array", "new",
                            "encode_keep_buffer", "encode_invalid_numbers", "decode_invalid_numbers" } do
      if json[name] then found[#found + 1] = name end
    end
    if pcall(require, "cjson") then found[#found + 1] = "cjson" end
    json.null, json.array, json.encode = 1, nil, print
    return { found = found }
  end,
}
