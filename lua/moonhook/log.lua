-- moonhook.log - lines in the plugin's log, beside the delivery that they are about:
--
--   log.info("sent to %s in %d ms", channel, ms)     a format and its values
--   log.warn("odd answer", status, { body = text })  or values; tables as JSON
local _, native = ...

local pcall, select, tostring, type = pcall, select, tostring, type
local concat, find, format = table.concat, string.find, string.format
local encode, write = native.encode, native.log

local function text_of(value)
  if type(value) == "table" then return encode(value) or tostring(value) end
  return tostring(value)
end

local function line(first, ...)
  local count = select("#", ...)
  if count > 0 and type(first) == "string" and find(first, "%", 1, true) then
    local ok, text = pcall(format, first, ...)
    if ok then return text end
  end
  if count == 0 then return text_of(first) end
  local words = { first, ... }
  for i = 1, count + 1 do words[i] = text_of(words[i]) end
  return concat(words, " ")
end

local log = {}

for _, level in ipairs { "debug", "info", "warn", "error" } do
  log[level] = function(...) write(level, line(...)) end
end

return log
