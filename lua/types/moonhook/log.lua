---@meta moonhook.log
local log = {}

---A format and its values, or values; tables are written as JSON.
---@param ... any
function log.debug(...) end

---@param ... any
function log.info(...) end

---@param ... any
function log.warn(...) end

---@param ... any
function log.error(...) end

return log
