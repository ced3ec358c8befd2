# alertmanager.jq - an Alertmanager webhook notification as `alert` events, one a line.
#
# The id is made of what Alertmanager says about the alert, so that a notification
# that it repeats (repeat_interval, a lost answer) is accepted once: the same
# alert, of the same start, in the same state.

def severity: if IN("critical", "error", "warning", "info", "debug") then . else "warning" end;

.externalURL as $url
| .alerts[]
| {
    event: "alert",
    id: "am-\(.fingerprint)-\(.startsAt | gsub("[^0-9A-Za-z]"; ""))-\(.status)",
    data: {
      id: .fingerprint,
      title: (.annotations.summary // .labels.alertname),
      description: (.annotations.description // "\(.labels.alertname) is \(.status)"),
      severity: (if .status == "resolved" then "info"
                 else .labels.severity // "" | severity
                 end),
      status,
      labels,
      url: (.generatorURL // $url),
      started_at: .startsAt
    }
  }
