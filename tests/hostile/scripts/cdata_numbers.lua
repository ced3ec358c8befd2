-- cdata_numbers.lua - 1LL is a cdata, and cdata are ffi's. Tries every operation for one that
-- does more than count.
-- expect: result {"ok":true}
return {
  name = "cdata-numbers", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    for _, text in ipairs { "1LL", "-1ULL", "0x7fffffffffffffffLL", "2i" } do
      local x = load("return " .. text)()
      assert(type(getmetatable(x)) ~= "table")
      for _, try in ipairs {
          function() return x() end, function() return x.x end, function() x.y = 1 end,
          function() return x / 0 end, function() return x % 0 end, function() return x .. "" end,
          function() return x < {} end, function() return #x end, function() return ("x"):rep(x) end,
          function() return setmetatable(x, {}) end, function() return string.format("%d%s%q", x, x, x) end,
          function() return bit.tohex(x) end, function() return unpack({}, 1, x) end, function() error(x) end,
          function() return x[x] end, function() return pairs(x) end,
          function() return coroutine.wrap(x)() end } do
        local _, value = pcall(try)
        assert(not tostring(value):find("cdata<.*0x"), tostring(value))
      end
    end
    return { ok = true }
  end,
}
