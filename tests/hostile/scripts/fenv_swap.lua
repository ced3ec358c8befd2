-- fenv_swap.lua - Swaps the environment of functions that are not its own.
-- expect: result {"setfenv":"nil","getfenv":"nil"}
return {
  name = "fenv-swap", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    if setfenv then setfenv(require, { error = print }) end
    return { setfenv = type(setfenv), getfenv = type(getfenv) }
  end,
}
