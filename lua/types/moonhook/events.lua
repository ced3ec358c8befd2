---@meta moonhook.events
local events = {}

---Emits an event for the org of the one that the hook runs for; it is stored on return.
---@param kind string               its type: a-z 0-9 _ - . and a letter first
---@param data table
---@param options? { id?: string }  unique among the events that this plugin names itself
---@return string id
---@return boolean duplicate        it was emitted before, by an earlier attempt
function events.emit(kind, data, options) end

return events
