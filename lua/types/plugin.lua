---@meta _
-- What a plugin is made of, for the Lua language server (LuaLS): point its
-- `workspace.library` at lua/types, write `---@type moonhook.Plugin` above the table
-- that plugin.lua returns, and editors complete and check it.

---@alias moonhook.Severity "critical"|"error"|"warning"|"info"|"debug"

---@class moonhook.Alert            data of `alert`; any field may be missing, others may be there
---@field id? string
---@field title? string
---@field description? string
---@field severity? moonhook.Severity
---@field status? "firing"|"resolved"
---@field thread_id? string
---@field labels? table<string, string>
---@field url? string
---@field started_at? string        RFC 3339

---@class moonhook.Anomaly          data of `anomaly_detected`
---@field id? string
---@field title? string
---@field description? string
---@field severity? moonhook.Severity
---@field metric? string
---@field value? number
---@field expected? number
---@field score? number
---@field thread_id? string

---@class moonhook.SlaBreach        data of `sla_breach`
---@field id? string
---@field title? string
---@field service? string
---@field objective? string
---@field target? number
---@field actual? number
---@field window? string
---@field severity? moonhook.Severity

---@class moonhook.Thread           data of `thread_created`
---@field id? string
---@field title? string
---@field author? string
---@field url? string
---@field agent? string

---@class moonhook.Execution        data of `execution_complete`
---@field id? string
---@field title? string
---@field status? "success"|"failure"|"cancelled"
---@field duration_ms? number
---@field agent? string
---@field thread_id? string
---@field url? string

---@class moonhook.Error            data of `error`
---@field id? string
---@field type? string
---@field message? string
---@field stack_trace? string
---@field component? string
---@field severity? moonhook.Severity
---@field thread_id? string

---@class moonhook.Event            what `on_event` gets
---@field id string
---@field event string              its type
---@field timestamp string          RFC 3339
---@field org_id string
---@field data any

---@class moonhook.EventInfo
---@field id string
---@field type string
---@field org_id string
---@field timestamp string          RFC 3339
---@field attempt integer           from 1

---@class moonhook.Context
---@field config table<string, any> this plugin's configuration; secrets are tokens, which the
---                                 engine replaces on the way out
---@field event? moonhook.EventInfo nil in setup
---@field delivery_id string        the same over all attempts: an idempotency key

---@class moonhook.Field            one value of the configuration
---@field type "string"|"number"|"integer"|"boolean"|"array"|"object"
---@field description? string
---@field required? boolean
---@field default? any
---@field secret? boolean           reaches Lua as a token only
---@field enum? any[]
---@field format? "uri"
---@field minimum? number
---@field maximum? number

---@class moonhook.Limits
---@field timeout_ms? integer       time of a hook, waiting included
---@field cpu_ms? integer           CPU time of a hook
---@field memory_mb? integer
---@field result_kb? integer        what a hook returns, as JSON
---@field log_lines_per_s? integer
---@field log_kb_per_s? integer
---@field requests? integer         under way at once
---@field store_keys? integer       stored, per org
---@field store_kb? integer         stored, per org
---@field events_per_s? integer     emitted

---@class moonhook.Plugin
---@field name string               1 to 40 of a-z 0-9 -
---@field version string
---@field author? string
---@field description? string
---@field categories? string[]
---@field permissions? string[]     "alerts:read", "http:HOST[:PORT]", "http:${config.FIELD}", ...
---@field config? table<string, moonhook.Field>
---@field limits? moonhook.Limits
---@field fail? "retry"|"drop"
---@field setup? fun(ctx: moonhook.Context)  an error refuses the start
---@field on_alert? fun(alert: moonhook.Alert, ctx: moonhook.Context): any
---@field on_anomaly_detected? fun(anomaly: moonhook.Anomaly, ctx: moonhook.Context): any
---@field on_sla_breach? fun(breach: moonhook.SlaBreach, ctx: moonhook.Context): any
---@field on_thread_created? fun(thread: moonhook.Thread, ctx: moonhook.Context): any
---@field on_execution_complete? fun(execution: moonhook.Execution, ctx: moonhook.Context): any
---@field on_error? fun(error: moonhook.Error, ctx: moonhook.Context): any
---@field on_event? fun(event: moonhook.Event, ctx: moonhook.Context): any     every other type
