-- manifest_metatable.lua - A table that answers what it is asked, to whoever asks. It is read
-- raw: it says nothing.
-- expect: install refused /\/name|name/
return setmetatable({}, { __index = function(_, key)
  return ({ name = "manifest-metatable", version = "1.0.0", permissions = { "alerts:read" } })[key]
end, __pairs = function() while true do end end })
