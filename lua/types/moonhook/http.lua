---@meta moonhook.http
local http = {}

---@class moonhook.http.Options
---@field json? any                 the body, as JSON
---@field form? table               the body, as a form: { name = value } or { { name, value }, ... }
---@field body? string              the body, as it is; json, form and body exclude each other
---@field headers? table            { name = value } or { { name, value }, ... }
---@field query? table              likewise; added to the URL
---@field auth? string|string[]     { user, password }, or the text of an Authorization header
---@field timeout_ms? integer       never more than what the hook has left

---@class moonhook.http.Failure
---@field code string               "timeout", "dns", "connect", "tls", "denied", ...
---@field message string

---@class moonhook.http.Response
---@field status integer            0 where there was no answer
---@field headers table<string, string>     found under any case
---@field body string
---@field error? moonhook.http.Failure      why there was no answer
---@field retry_after_s? number
local Response = {}

---Raises an error unless the status is one of these (any 2xx where none is given). No
---answer, 408, 429 and 5xx are tried again, Retry-After is honoured; the rest is final.
---@param ... integer
---@return moonhook.http.Response
function Response:expect(...) end

---The body as a Lua value; an error where it is no JSON.
---@return any
function Response:json() end

---@param url string
---@param options? moonhook.http.Options
---@return moonhook.http.Response
function http.get(url, options) end

---@param url string
---@param options? moonhook.http.Options
---@return moonhook.http.Response
function http.post(url, options) end

---@param url string
---@param options? moonhook.http.Options
---@return moonhook.http.Response
function http.put(url, options) end

---@param url string
---@param options? moonhook.http.Options
---@return moonhook.http.Response
function http.patch(url, options) end

---@param url string
---@param options? moonhook.http.Options
---@return moonhook.http.Response
function http.delete(url, options) end

---@param method string
---@param url string
---@param options? moonhook.http.Options
---@return moonhook.http.Response
function http.request(method, url, options) end

return http
