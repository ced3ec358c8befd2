-- secret_read.lua - Looks at a secret from all sides. What Lua holds is a token, another one
-- in each process.
-- expect: result {"token":true,"length":36}
-- config: {"key":"hunter2-that-no-plugin-sees"}
local log = require "moonhook.log"

return {
  name = "secret-read", version = "1.0.0", permissions = { "alerts:read" },
  config = { key = { type = "string", secret = true } },
  on_alert = function(_, ctx)
    log.info("key %s %q", ctx.config.key, ctx.config.key)
    print(ctx.config.key:reverse(), ctx.config.key:byte(1, -1))
    return { token = ctx.config.key:find("^mhs_%x+$") ~= nil, length = #ctx.config.key }
  end,
}
