-- The hook that both sides run: moonhook in its jail, nginx in its own Lua.
local COLOUR = { critical = "#a30200", error = "#d00000", warning = "#daa038" }

return {
  name = "bench-hook", version = "1.0.0", author = "moonhook",
  description = "Build the Slack message for an alert, and send it nowhere",
  permissions = { "alerts:read" },

  on_alert = function(alert)
    return {
      channel = "#alerts",
      attachments = { {
        color = COLOUR[alert.severity] or "#2eb886",
        title = alert.severity:upper() .. ": " .. alert.title,
        text = alert.description,
        fields = {
          { title = "Service", value = alert.service, short = true },
          { title = "Value", value = ("%.1f of %.1f"):format(alert.value, alert.threshold),
            short = true },
        },
      } },
    }
  end,
}
