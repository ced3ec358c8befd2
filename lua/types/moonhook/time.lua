---@meta moonhook.time
local time = {}

---Seconds since 1970, with milliseconds.
---@return number
function time.now() end

---"2026-01-22T10:00:00.000Z", of now where nothing is given.
---@param seconds? number
---@return string
function time.iso(seconds) end

---Seconds since 1970 of an RFC 3339 time; nil for anything else.
---@param text any
---@return number?
function time.parse(text) end

return time
