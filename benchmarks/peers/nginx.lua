-- What one writes to take an event in nginx: check the key, run the hook, keep both in Redis.
local cjson = require "cjson.safe"
local redis = require "nginx.redis"

local function answer(status, body)
  ngx.status = status
  ngx.header.content_type = "application/json"
  ngx.print(cjson.encode(body))
end

return function()
  if ngx.var.http_authorization ~= "Bearer " .. bench.key then
    return answer(401, { detail = "wrong key" })
  end
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local event = cjson.decode(body)
  if not event then return answer(400, { detail = "not JSON" }) end

  local ok, result = pcall(bench.plugin.on_alert, event.data)
  if not ok then return answer(500, { detail = result }) end

  local db = redis:new()
  local connected, err = db:connect(bench.redis)
  if not connected then return answer(503, { detail = err }) end
  local id, failed = db:xadd("events", "*", "event", body, "result", cjson.encode(result))
  if not id then return answer(503, { detail = failed }) end
  db:set_keepalive(60000, 256)
  answer(202, { id = id, deliveries = 1 })
end
