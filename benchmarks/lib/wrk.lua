-- wrk's script: POST one event; print one line of JSON for load.mjs at the end.
-- Answers are only looked at where their text matters: wrk is then half as fast.
local threads = {}

function setup(thread) threads[#threads + 1] = thread end

local function read(status, _, body)
  local ms = tonumber(body:match('"duration_ms":%s*([%d.eE+-]+)') or "")
  if status ~= expected and status < 400 then wrong = wrong + 1 end   -- wrk counts the others
  if ms then                                    -- a histogram in steps of 10 us
    local slot = math.floor(ms * 100)
    slots[slot] = (slots[slot] or 0) + 1
  end
end

function init(args)
  expected, wrong, slots = tonumber(args[3]), 0, {}
  wrk.method, wrk.body = "POST", args[2]
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  wrk.headers["Content-Type"] = "application/json"
  if args[4] == "read" then response = read end
end

local function percentile(share)
  local slots, order, total = threads[1]:get("slots"), {}, 0
  for slot, count in pairs(slots) do order[#order + 1] = slot; total = total + count end
  table.sort(order)
  local below = 0
  for _, slot in ipairs(order) do
    below = below + slots[slot]
    if below >= share * total then return slot / 100 end
  end
  return -1                                     -- no answer named its time
end

function done(summary, latency)
  local e = summary.errors
  print(("\n{\"requests\":%d,\"seconds\":%.6f,\"failed\":%d,\"latency_p50_ms\":%.3f," ..
         "\"latency_p99_ms\":%.3f,\"hook_p50_ms\":%.3f,\"hook_p99_ms\":%.3f}"):format(
    summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.timeout + e.status + threads[1]:get("wrong"),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    percentile(0.50), percentile(0.99)))
end
