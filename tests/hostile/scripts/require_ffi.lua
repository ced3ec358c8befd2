-- require_ffi.lua - LuaJIT's door to C: any function of the process, any byte of its memory.
-- expect: error plugin_error /plugin\.lua:\d+: there is no module 'ffi'/
-- lives:  yes
return {
  name = "require-ffi", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    load("return 1LL")()                    -- opens the library inside, for its type
    assert(ffi == nil)
    return require("ffi").C.getpid()
  end,
}
