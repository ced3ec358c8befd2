-- moonhook.text - text for people: cut where a service has a limit, escaped for the
-- place where it stands. Every function takes nil and json.null as "" and numbers as
-- their digits, so that a field that an event lacks needs no `if`.
local _, native = ...

local error, tostring, type = error, tostring, type
local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub
local null, span, cut = native.null, native.utf8_span, native.utf8_cut

local text = {}

local function plain(value)
  if value == nil or value == null then return "" end
  return type(value) == "string" and value or tostring(value)
end

-- The value as text, or `otherwise` where there is nothing to read.
function text.of(value, otherwise)
  value = plain(value)
  if value == "" then return otherwise or "" end
  return value
end

------------------------------------------------------------------- lengths

local function shorten(value, most, ending, measure)
  value, ending = plain(value), ending or "…"
  if #value <= most or measure(value, most) == #value then return value end
  local room = most - (measure == cut and #ending or #gsub(ending, "[\128-\191]", ""))
  if room < 0 then return sub(value, 1, measure(value, most)) end
  return sub(value, 1, measure(value, room)) .. ending
end

-- At most `most` characters, `ending` ("…" where not given) among them.
function text.truncate(value, most, ending) return shorten(value, most, ending, span) end

-- The same in bytes; no character is split.
function text.truncate_bytes(value, most, ending) return shorten(value, most, ending, cut) end

------------------------------------------------------------------- escapes

local HTML = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local SLACK = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }

function text.html(value) return (gsub(plain(value), "[&<>\"']", HTML)) end

-- Slack's mrkdwn: these three are all that it wants.
function text.slack(value) return (gsub(plain(value), "[&<>]", SLACK)) end

-- CommonMark and its dialects: every character that can mean something.
function text.markdown(value)
  return (gsub(plain(value), "[\\`*_{}%[%]()#+%-.!|~<>]", "\\%0"))
end

------------------------------------------------------------------- templates

local function look_up(values, path)
  for name in path:gmatch("[^.]+") do
    if type(values) ~= "table" then return nil end
    values = values[name]
  end
  return values
end

-- text.template("{{title}} on {{labels.host}}", alert, text.slack): placeholders are
-- replaced by what `values` holds there, through `escape` where one is given.
function text.template(template, values, escape)
  if type(template) ~= "string" or type(values) ~= "table" then
    error("text.template: a template and a table of values were expected", 2)
  end
  return (gsub(template, "{{%s*([%w_%-.]+)%s*}}", function(path)
    local value = plain(look_up(values, path))
    return escape and escape(value) or value
  end))
end

return text
