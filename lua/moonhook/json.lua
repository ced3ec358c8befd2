-- moonhook.json - JSON text and Lua values, exactly. Null is json.null, not nil;
-- integers past 2^53 keep every digit; a table that came from [] goes back as [].
local _, native = ...

local error, type = error, type
local encode, decode, array = native.encode, native.decode, native.array

local json = { null = native.null }

-- The JSON text of `value`. Tables with items 1..n are arrays, others objects; an
-- empty table is {} unless it was marked by json.array().
function json.encode(value)
  local text, why = encode(value)
  if not text then error("json.encode: " .. why, 2) end
  return text
end

-- The value of a JSON text. Raises an error that names the byte.
function json.decode(text)
  if type(text) ~= "string" then
    error("json.decode: a string was expected, got " .. type(text), 2)
  end
  local value, why = decode(text)
  if value == nil then error("json.decode: " .. why, 2) end
  return value
end

-- Marks a table as an array, so that it is [] when empty. Returns the same table.
function json.array(items)
  if items ~= nil and type(items) ~= "table" then
    error("json.array: a table was expected, got " .. type(items), 2)
  end
  return array(items or {})
end

return json
