-- error_values.lua - Each kind of value, as an error in an error.
-- expect: error plugin_error /raised a thread value/
-- lives:  yes
return {
  name = "error-values", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, value in ipairs { false, 1, {}, print, require("moonhook.json").null, coroutine.create(print) } do
      assert(select(2, pcall(error, value, 0)) == value)
    end
    error(coroutine.create(print))
  end,
}
