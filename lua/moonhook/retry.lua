-- moonhook.retry - errors that say what comes next:
--
--   error(retry.after(30))                 try again in 30 seconds, not sooner
--   error(retry.never("no such channel"))  do not try again
--
-- Any other error is tried again on the plugin's schedule.
local _, native = ...

local error, setmetatable, tostring, type = error, setmetatable, tostring, type
local RETRY = native.RETRY

local MOST_S = 24 * 3600

function RETRY.__tostring(self) return self.message end

local retry = {}

function retry.after(seconds, message)
  if type(seconds) ~= "number" or not (seconds >= 0) then
    error("retry.after: seconds from 0 on were expected", 2)
  end
  if seconds > MOST_S then seconds = MOST_S end
  return setmetatable({
    after_s = seconds,
    message = tostring(message or ("try again in " .. seconds .. " s")),
  }, RETRY)
end

function retry.never(reason)
  return setmetatable({ never = true, message = tostring(reason or "not to be tried again") },
                      RETRY)
end

-- For the SDK: what the engine refused, under the name that it gave. A limit may be
-- free again later; a permission will not be there.
function native.refusal(code, message)
  return setmetatable({ code = code, never = code ~= "limit" or nil, message = message }, RETRY)
end

return retry
