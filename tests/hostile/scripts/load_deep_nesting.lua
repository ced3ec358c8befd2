-- load_deep_nesting.lua - A million brackets, to run the compiler's own stack over.
-- expect: result {"refused":5}
return {
  name = "load-deep-nesting", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local refused = 0
    for _, piece in ipairs { "(", "{", "a[", "do ", "function f() " } do
      if not load("return " .. piece:rep(1e5)) then refused = refused + 1 end
    end
    return { refused = refused }
  end,
}
