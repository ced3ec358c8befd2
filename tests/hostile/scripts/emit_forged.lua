-- emit_forged.lua - Events in the name of other orgs, with types, ids and data that are none.
-- expect: result {"accepted":[]}
local events, json = require "moonhook.events", require "moonhook.json"

return {
  name = "emit-forged", version = "1.0.0", permissions = { "alerts:read", "events:emit" },
  on_alert = function()
    local accepted = json.array()
    local function try(what, ...)
      if pcall(events.emit, ...) then accepted[#accepted + 1] = what end
    end
    try("no type", "", {})
    try("a type with a line break", "a\r\nlevel=error", {})
    try("a type with NUL", "alert\0", {})
    try("a long type", ("a"):rep(1e5), {})
    try("a path", "../other/alert", {})
    try("another org", "alert", {}, { org_id = "victim" })
    try("an id of parts", "alert", {}, { id = "victim/evt_1~slack" })
    try("an id with NUL", "alert", {}, { id = "evt\0" })
    try("data that is no table", "alert", "text")
    try("huge data", "alert", { text = ("x"):rep(2e6) })
    return { accepted = accepted }
  end,
}
