-- sign_guesses.lua - Compares parts of a secret, to guess it byte by byte. Only the whole
-- value is ever equal.
-- expect: result {"equal":0,"whole":true}
-- config: {"key":"hunter2-that-no-plugin-sees"}
local sign = require "moonhook.sign"

return {
  name = "sign-guesses", version = "1.0.0", permissions = { "alerts:read" },
  config = { key = { type = "string", secret = true } },
  on_alert = function(_, ctx)
    local key, equal = ctx.config.key, 0
    for length = 0, #key - 1 do
      if sign.equal(key:sub(1, length), ("hunter2-that-no-plugin-sees"):sub(1, length)) and length > 0 then
        equal = equal + 1
      end
    end
    if sign.digest("sha256", key) == sign.digest("sha256", "hunter2-that-no-plugin-sees") then equal = -1 end
    return { equal = equal, whole = sign.equal(key, "hunter2-that-no-plugin-sees") }
  end,
}
