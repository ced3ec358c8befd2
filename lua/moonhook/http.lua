-- moonhook.http - HTTP requests, written as straight-line code:
--
--   local res = http.post(url, { json = { text = "hi" }, timeout_ms = 3000 })
--   res:expect(200)
--
-- The engine sends the request, if the plugin's permissions name its host, and puts
-- secrets in place of their tokens. Only this hook waits for the answer. A request
-- that found no answer returns as well, with status 0 and `error`; expect() raises.
local _, native = ...

local json = require "moonhook.json"
local retry = require "moonhook.retry"

local error, ipairs, pairs, select, setmetatable, tostring, type =
  error, ipairs, pairs, select, setmetatable, tostring, type
local concat, sort = table.concat, table.sort
local byte, find, format, gsub, lower, rawget, upper =
  string.byte, string.find, string.format, string.gsub, string.lower, rawget, string.upper
local encode, request = native.encode, native.request

local http = {}

------------------------------------------------------------------- the answer

local Response = {}
Response.__index = Response

local Headers = { __index = function(headers, name)
  return type(name) == "string" and rawget(headers, lower(name)) or nil
end }

-- These come back with the same answer however often they are asked.
local FINAL = { invalid = true, too_large = true, blocked = true }

local function retryable(status) return status == 408 or status == 429 or status >= 500 end

local function excerpt(body)
  local line = gsub(gsub(body, "%s+", " "), "^ ", "")
  if #line > 200 then line = line:sub(1, native.utf8_cut(line, 200)) .. "…" end
  return line == "" and "" or ": " .. line
end

-- Raises an error unless the status is one of the given ones (any 2xx where none is
-- given). What may go better later is tried again, Retry-After is honoured; the rest
-- is final. Returns the response.
function Response:expect(...)
  if self.error then
    local code, message = self.error.code, "no answer: " .. self.error.message
    if code == "limit" or code == "denied" then error(native.refusal(code, message), 2) end
    error(FINAL[code] and retry.never(message) or message, 2)
  end
  local status, count = self.status, select("#", ...)
  if count == 0 and status >= 200 and status < 300 then return self end
  for i = 1, count do
    if status == select(i, ...) then return self end
  end
  local message = format("the service answered %d%s", status, excerpt(self.body))
  if not retryable(status) then error(retry.never(message), 2) end
  error(self.retry_after_s and retry.after(self.retry_after_s, message) or message, 2)
end

-- The body as a Lua value. Raises an error where it is no JSON.
function Response:json()
  local value, why = native.decode(self.body)
  if value == nil then error("the answer is no JSON: " .. why, 2) end
  return value
end

local function response_of(head, body)
  local headers = {}
  for name, value in pairs(head.headers or {}) do headers[lower(name)] = value end
  return setmetatable({
    status = head.status or 0,
    headers = setmetatable(headers, Headers),
    body = body,
    retry_after_s = head.retry_after_s,
    error = not head.ok and { code = head.code, message = head.message } or nil,
  }, Response)
end

------------------------------------------------------------------- the request

-- { name = value } or { { name, value }, ... } as a list of pairs of strings.
local function pairs_of(given, what)
  local list = {}
  for name, value in pairs(given) do
    if type(value) == "table" then name, value = value[1], value[2] end
    if type(name) ~= "string" or type(value) == "table" or value == nil then
      error(what .. " must be { name = value } or { { name, value }, ... }", 4)
    end
    list[#list + 1] = { name, tostring(value) }
  end
  if #given == 0 then                       -- a list keeps its order, names have none
    sort(list, function(a, b) return a[1] < b[1] end)
  end
  return list
end

local function escape(value)
  return (gsub(value, "[^%w%-._~]", function(c) return format("%%%02X", byte(c)) end))
end

local function form(given)
  local fields = pairs_of(given, "form")
  for i, field in ipairs(fields) do fields[i] = escape(field[1]) .. "=" .. escape(field[2]) end
  return concat(fields, "&")
end

-- How each option becomes a body: the word for the engine, the type, the writer.
local BODIES = {
  json = { "json", "application/json", function(value)
    local text, why = encode(value)
    if not text then error("json: " .. why, 4) end
    return text
  end },
  form = { "form", "application/x-www-form-urlencoded", form },
  body = { "raw", "application/octet-stream", tostring },
}

local OPTIONS = { json = "any", form = "table", body = "string", headers = "table", query = "table",
                  auth = "any", timeout_ms = "number" }

local function check(options)
  if type(options) ~= "table" then error("the options must be a table", 4) end
  for name, value in pairs(options) do
    local wanted = OPTIONS[name]
    if not wanted then error("there is no option '" .. tostring(name) .. "'", 4) end
    if wanted ~= "any" and type(value) ~= wanted then
      error(name .. " must be a " .. wanted .. ", not a " .. type(value), 4)
    end
  end
  local bodies = (options.json ~= nil and 1 or 0) + (options.form and 1 or 0) +
                 (options.body and 1 or 0)
  if bodies > 1 then error("json, form and body exclude each other", 4) end
end

local function has(headers, name)
  for _, header in ipairs(headers) do
    if lower(header[1]) == name then return true end
  end
end

local function set_auth(head, auth)
  if type(auth) == "string" then
    head.headers[#head.headers + 1] = { "Authorization", auth }
  elseif type(auth) == "table" and type(auth[1]) == "string" and type(auth[2]) == "string" then
    head.auth = { auth[1], auth[2] }
  else
    error("auth must be { user, password } or the text of an Authorization header", 4)
  end
end

local function set_body(head, options)
  for option, how in pairs(BODIES) do
    if options[option] ~= nil then
      head.body = how[1]
      if not has(head.headers, "content-type") then
        head.headers[#head.headers + 1] = { "Content-Type", how[2] }
      end
      return how[3](options[option])
    end
  end
end

local function send(method, url, options)
  if type(url) ~= "string" then error("the URL must be a string, not a " .. type(url), 3) end
  options = options == nil and {} or options
  check(options)
  local head = {
    op = "http", method = method, url = url, body = "none", timeout_ms = options.timeout_ms,
    headers = json.array(pairs_of(options.headers or {}, "headers")),
    query = options.query and json.array(pairs_of(options.query, "query")) or nil,
  }
  if options.auth ~= nil then set_auth(head, options.auth) end
  local reply, body = request(head, set_body(head, options))
  if not reply then error("http: " .. body, 3) end
  return response_of(reply, body)
end

for _, method in ipairs { "get", "post", "put", "patch", "delete" } do
  local word = upper(method)
  http[method] = function(url, options)
    local response = send(word, url, options)
    return response
  end
end

function http.request(method, url, options)
  if type(method) ~= "string" or find(method, "[^%a]") or method == "" then
    error("the method must be a word such as GET", 2)
  end
  local response = send(upper(method), url, options)
  return response
end

return http
