-- secret_error.lua - Carries a secret out in an error, in a traceback and in a retry's reason.
-- expect: error plugin_error /^key mhs_[0-9a-f]+$/
-- config: {"key":"hunter2-that-no-plugin-sees"}
local retry = require "moonhook.retry"

return {
  name = "secret-error", version = "1.0.0", permissions = { "alerts:read" },
  config = { key = { type = "string", secret = true } },
  on_alert = function(_, ctx)
    pcall(error, ctx.config.key)
    error(retry.never("key " .. ctx.config.key))
  end,
}
