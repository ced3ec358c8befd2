---@meta moonhook.retry
local retry = {}

---`error(retry.after(30))`: try again in 30 seconds, not sooner.
---@param seconds number
---@param message? string
---@return table
function retry.after(seconds, message) end

---`error(retry.never("no such channel"))`: do not try again.
---@param reason? string
---@return table
function retry.never(reason) end

return retry
