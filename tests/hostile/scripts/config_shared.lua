-- config_shared.lua - Changes its configuration, its event and its own table, for the next
-- hook to find.
-- expect: result {"mine":"default","kept":"yes"}
-- asked:  2
local plugin = {
  name = "config-shared", version = "1.0.0", permissions = { "alerts:read" },
  config = { word = { type = "string", default = "default" } },
}

function plugin.on_alert(_, ctx)
  local mine = ctx.config.word
  ctx.config.word = "changed"
  ctx.event.id, ctx.delivery_id = nil, "x"
  plugin.permissions[1] = "events:read"
  plugin.on_event = function() return "never called" end
  return { mine = mine, kept = "yes" }
end

return plugin
