-- coroutine_forged_request.lua - Yields by itself what might pass for a request.
-- expect: error plugin_error /the hook yielded, but not to wait for moonhook/
-- lives:  yes
return {
  name = "coroutine-forged-request", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    pcall(table.sort, { 1, 2 }, function() require("moonhook.http").get("http://x.example/") end)
    coroutine.yield(require("moonhook.json").null, { op = "http", url = "http://127.0.0.1/" })
  end,
}
