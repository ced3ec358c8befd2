-- recursion_pattern.lua - Patterns that make the matcher call itself: each level is C stack.
-- expect: result {"matched":0}
return {
  name = "recursion-pattern", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local matched, long = 0, ("x"):rep(1e5)
    for _, pattern in ipairs { ("x?"):rep(1e5), ("("):rep(1e5), ("(x)"):rep(1000), ("()"):rep(1e5),
                               ("%b()"):rep(1e5) .. ("x"):rep(1e5), "%", "[", "%b", "%f", "[%", "%1", "(" } do
      local ok, found = pcall(string.match, long, pattern)
      if ok and found then
        matched = matched + 1
      end
    end
    return { matched = matched }
  end,
}
