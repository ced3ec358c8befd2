-- slack - what Mission Control has to say, in a Slack channel: one attachment per
-- event, its bar in the colour of the severity, its fields what the event knows.
local http = require "moonhook.http"
local retry = require "moonhook.retry"
local text = require "moonhook.text"
local time = require "moonhook.time"

local COLOUR = { critical = "danger", error = "danger", warning = "warning", info = "good",
                 debug = "#439FE0" }
local KIND = { alerts = "alert", anomalies = "anomaly", sla_breaches = "sla_breach",
               errors = "error", alert = "alert", anomaly = "anomaly",
               anomaly_detected = "anomaly", sla_breach = "sla_breach" }

-- In characters. Slack cuts what is longer by itself, and not always between words.
local MOST_TITLE, MOST_TEXT, MOST_VALUE, MOST_FIELDS = 250, 3000, 300, 12

-- Cut first, then escaped: no "&amp;" is ever split.
local function shown(value, most) return text.slack(text.truncate(value, most)) end

------------------------------------------------------------------- notify_on

-- Kinds in the list narrow by kind, severities by severity ("error" is a severity,
-- "errors" a kind); a list without any of the one does not narrow by it. A resolved
-- alert's severity says how bad it is now, not how bad it was, so that is told anyway.
local function wanted(config, kind, data)
  local kinds, severities
  for _, word in ipairs(config.notify_on or {}) do
    if KIND[word] then
      kinds = kinds or KIND[word] == kind
    else
      severities = severities or word == data.severity
    end
  end
  return kinds ~= false and (severities ~= false or data.status == "resolved")
end

local function check_words(config)
  for _, word in ipairs(config.notify_on or {}) do
    if not KIND[word] and not COLOUR[word] then
      error("notify_on: '" .. tostring(word) .. "' is neither one of alerts, anomalies, "
        .. "sla_breaches, errors nor a severity", 0)
    end
  end
end

------------------------------------------------------------------- the message

local function field_list(rows)
  local fields = {}
  for _, row in ipairs(rows) do
    local value = text.of(row[2])
    if value ~= "" and #fields < MOST_FIELDS then
      fields[#fields + 1] = { title = shown(row[1], 80), value = shown(value, MOST_VALUE),
                              short = #value <= 40 }
    end
  end
  return #fields > 0 and fields or nil
end

local function with_labels(rows, labels)
  local names = {}
  if type(labels) == "table" then
    for name in pairs(labels) do names[#names + 1] = tostring(name) end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = labels[name]
    if type(value) ~= "table" then rows[#rows + 1] = { name, value } end
  end
  return rows
end

local function link(url)
  return type(url) == "string" and url:match("^https?://[^%s<>|]+$") or nil
end

local function attachment(data, ctx, colour, title, body, rows)
  title = text.of(title, "(no title)")
  local started = time.parse(data.started_at) or time.parse(ctx.event.timestamp) or time.now()
  return {
    color = colour,
    fallback = shown(title, MOST_TITLE),
    title = shown(title, MOST_TITLE),
    title_link = link(data.url),
    text = body ~= "" and body or nil,
    fields = field_list(rows),
    footer = "Mission Control",
    ts = math.floor(started),
  }
end

local function send(kind, data, ctx, make)
  local config = ctx.config
  if not wanted(config, kind, data) then
    return { sent = false, reason = "notify_on does not ask for it" }
  end
  http.post(config.webhook_url, { json = {
    channel = config.channel,
    attachments = { make(data, ctx, COLOUR[data.severity] or "warning") },
  } }):expect(200)
  return { sent = true, channel = config.channel }
end

------------------------------------------------------------------- one for each kind

local function alert_message(alert, ctx, colour)
  local title = text.of(alert.title)
  if alert.status == "resolved" then colour, title = COLOUR.info, "Resolved: " .. title end
  return attachment(alert, ctx, colour, title, shown(alert.description, MOST_TEXT), with_labels({
    { "Severity", alert.severity }, { "Status", alert.status }, { "Thread", alert.thread_id },
  }, alert.labels))
end

local function anomaly_message(anomaly, ctx, colour)
  return attachment(anomaly, ctx, colour, anomaly.title, shown(anomaly.description, MOST_TEXT), {
    { "Metric", anomaly.metric }, { "Value", anomaly.value }, { "Expected", anomaly.expected },
    { "Score", anomaly.score }, { "Severity", anomaly.severity }, { "Thread", anomaly.thread_id },
  })
end

local function breach_message(breach, ctx, colour)
  return attachment(breach, ctx, colour, "SLA breach: " .. text.of(breach.title, breach.service),
    shown(breach.description, MOST_TEXT), {
      { "Service", breach.service }, { "Objective", breach.objective },
      { "Target", breach.target }, { "Actual", breach.actual }, { "Window", breach.window },
      { "Severity", breach.severity },
    })
end

local function error_message(fault, ctx, colour)
  local body = shown(fault.message, MOST_TEXT / 2)
  local trace = text.of(fault.stack_trace):gsub("```", "'''")
  if trace ~= "" then body = body .. "\n```" .. shown(trace, MOST_TEXT / 2) .. "```" end
  return attachment(fault, ctx, fault.severity and colour or COLOUR.error,
    text.of(fault.type, "Error"), body, {
      { "Component", fault.component }, { "Severity", fault.severity },
      { "Thread", fault.thread_id },
    })
end

local function hook(kind, make)
  return function(data, ctx) return send(kind, data, ctx, make) end
end

return {
  name = "slack", version = "1.0.0", author = "moonhook",
  description = "Send alerts, anomalies, SLA breaches and errors to a Slack channel",
  categories = { "chat" },
  permissions = { "alerts:read", "anomalies:read", "sla:read", "errors:read",
                  "http:${config.webhook_url}" },
  config = {
    webhook_url = { type = "string", format = "uri", secret = true, required = true,
                    description = "Incoming webhook, https://hooks.slack.com/services/..." },
    channel = { type = "string", default = "#alerts",
                description = "Heeded by legacy and Slack-compatible webhooks; one made by a "
                           .. "Slack app knows its channel" },
    notify_on = { type = "array", default = { "alerts", "anomalies", "sla_breaches", "errors" },
                  description = "Kinds (alerts, anomalies, sla_breaches, errors) and severities "
                             .. "(critical, error, warning, info, debug) to tell of" },
  },

  -- Slack refuses an empty message with 400 before anybody sees it, a webhook that is
  -- gone with 403, 404 or 410. So this asks without posting.
  setup = function(ctx)
    check_words(ctx.config)
    local res = http.post(ctx.config.webhook_url, { json = {}, timeout_ms = 3000 })
    if res.error then error("the webhook cannot be reached: " .. res.error.message, 0) end
    if res.status == 403 or res.status == 404 or res.status == 410 then
      error(retry.never(("webhook_url is not a working webhook: the service answered %d: %s")
        :format(res.status, text.truncate(res.body, 100))))
    end
  end,

  on_alert = hook("alert", alert_message),
  on_anomaly_detected = hook("anomaly", anomaly_message),
  on_sla_breach = hook("sla_breach", breach_message),
  on_error = hook("error", error_message),
}
