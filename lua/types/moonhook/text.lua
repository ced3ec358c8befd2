---@meta moonhook.text
-- Every function takes nil and json.null as "", and numbers as their digits.
local text = {}

---The value as text, or `otherwise` ("") where there is nothing to read.
---@param value any
---@param otherwise? string
---@return string
function text.of(value, otherwise) end

---At most `most` characters, `ending` ("…") among them.
---@param value any
---@param most integer
---@param ending? string
---@return string
function text.truncate(value, most, ending) end

---At most `most` bytes; no character is split.
---@param value any
---@param most integer
---@param ending? string
---@return string
function text.truncate_bytes(value, most, ending) end

---@param value any
---@return string
function text.html(value) end

---@param value any
---@return string
function text.markdown(value) end

---@param value any
---@return string
function text.slack(value) end

---`text.template("{{title}} on {{labels.host}}", alert, text.slack)`
---@param template string
---@param values table
---@param escape? fun(value: string): string
---@return string
function text.template(template, values, escape) end

return text
