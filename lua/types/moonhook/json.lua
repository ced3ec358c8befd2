---@meta moonhook.json
local json = {}

---JSON's null. A value, and true in a condition: compare with `== json.null`.
---@type userdata
json.null = nil

---@param value any
---@return string
function json.encode(value) end

---Arrays are marked, so that an empty one is written as [] again. Integers past 2^53 are
---values that print, compare and encode with all their digits, but do no arithmetic.
---@param text string
---@return any
function json.decode(text) end

---Marks a table as an array: [] where it is empty.
---@generic T : table
---@param items? T
---@return T
function json.array(items) end

return json
