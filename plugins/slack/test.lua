-- test.lua - what the slack plugin does, case by case. tests/integration/plugins.test.mjs calls
-- the hook as the server would and plays the services: each row of `requests` is a request
-- that must come, in this order, and the answer to it (`fails`: there was no answer, and
-- why). Tables name what must be there; more may be. A case without `result` or `error`
-- takes any result.
local HOOK = "https://hooks.slack.com/services/T000/B000/XXXX"

local function posts(json)
  return { { method = "POST", url = HOOK, json = json, status = 200, body = "ok" } }
end
local function answers(status, body, headers)
  return { { method = "POST", url = HOOK, status = status, body = body, headers = headers } }
end

local disk = { title = "Disk full on <db-3>", description = "97 % & growing", severity = "critical",
               status = "firing", labels = { host = "db-3" }, url = "https://mc.example/alerts/1",
               started_at = "2026-01-22T10:00:00Z" }
local over = { title = "Disk full on db-3", severity = "info", status = "resolved" }

return {
  config = { webhook_url = HOOK, channel = "#ops" },

  { "a critical alert is red, escaped, linked and dated",
    hook = "on_alert", data = disk,
    requests = posts { channel = "#ops", attachments = { {
      color = "danger", title = "Disk full on &lt;db-3&gt;", text = "97 % &amp; growing",
      title_link = "https://mc.example/alerts/1", ts = 1769076000,
      fields = { { title = "Severity", value = "critical" }, { title = "Status", value = "firing" },
                 { title = "host", value = "db-3", short = true } },
    } } },
    result = { sent = true, channel = "#ops" } },

  { "an alert that is over is green and says so",
    hook = "on_alert", data = over,
    requests = posts { attachments = { {
      color = "good", title = "Resolved: Disk full on db-3" } } },
    result = { sent = true } },

  { "an alert without a severity is yellow",
    hook = "on_alert", data = { title = "Odd" },
    requests = posts { attachments = { { color = "warning" } } } },

  { "a debug alert is blue",
    hook = "on_alert", data = { title = "Odd", severity = "debug" },
    requests = posts { attachments = { { color = "#439FE0" } } } },

  { "an anomaly shows what was expected",
    hook = "on_anomaly_detected",
    data = { title = "Spend is 4x", severity = "warning", metric = "tokens",
             value = 81200, expected = 19800 },
    requests = posts { attachments = { { color = "warning", fields = {
      { title = "Metric", value = "tokens" }, { title = "Value", value = "81200" },
      { title = "Expected", value = "19800" } } } } },
    result = { sent = true } },

  { "an SLA breach names the objective",
    hook = "on_sla_breach",
    data = { title = "p95", service = "search", objective = "p95 < 800 ms", severity = "error" },
    requests = posts { attachments = { { color = "danger", title = "SLA breach: p95", fields = {
      { title = "Service", value = "search" },
      { title = "Objective", value = "p95 &lt; 800 ms" } } } } } },

  { "an error shows its stack as code",
    hook = "on_error",
    data = { type = "ToolTimeout", message = "no answer", stack_trace = "at run" },
    requests = posts { attachments = { { color = "danger", title = "ToolTimeout",
                                         text = "no answer\n```at run```" } } } },

  { "notify_on leaves out other kinds",
    hook = "on_alert", data = disk, config = { notify_on = { "errors" } },
    requests = {}, result = { sent = false } },

  { "notify_on leaves out other severities",
    hook = "on_alert", data = disk, config = { notify_on = { "warning" } },
    requests = {}, result = { sent = false } },

  { "the end of an alert is told whatever its severity",
    hook = "on_alert", data = over, config = { notify_on = { "alerts", "critical" } },
    requests = posts {}, result = { sent = true } },

  { "a rate limit is waited for",
    hook = "on_alert", data = disk,
    requests = answers(429, "rate_limited", { ["Retry-After"] = "7" }),
    error = { message = "429: rate_limited", after_s = 7 } },

  { "a server's fault is tried again",
    hook = "on_alert", data = disk, requests = answers(500, "rollup_error"),
    error = { message = "500: rollup_error" } },

  { "a webhook that is gone is not tried again",
    hook = "on_alert", data = disk, requests = answers(404, "no_service"),
    error = { message = "404: no_service", never = true } },

  { "setup takes a refused empty message as a sign of life",
    hook = "setup", requests = answers(400, "no_text") },

  { "setup refuses a webhook that is gone",
    hook = "setup", requests = answers(410, "channel_is_archived"),
    error = { message = "410: channel_is_archived", never = true } },

  { "setup refuses a webhook that cannot be reached",
    hook = "setup", requests = { { method = "POST", url = HOOK, fails = "connect" } },
    error = { message = "cannot be reached" } },

  { "setup refuses a word in notify_on that means nothing",
    hook = "setup", config = { notify_on = { "alrets" } }, requests = {},
    error = { message = "alrets" } },
}
