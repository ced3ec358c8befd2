-- moonhook.retry - errors that say what comes next:
--
--   error(retry.after(30))                 try again in 30 seconds, not sooner
--   error(retry.never("no such channel"))  do not try again
--
-- Any other error is tried again on the plugin's schedule.
local _, native = ...

local error, pcall, setmetatable, tostring, type = error, pcall, setmetatable, tostring, type
local RETRY = native.RETRY

local MOST_S = 24 * 3600
local LINE = 4                              -- as error() counts, through pcall: the plugin's

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
-- free again later (unless `final`); a permission will not be there.
function native.refusal(code, message, final)
  return setmetatable({ code = code, never = final or code == "denied" or nil, message = message },
                      RETRY)
end

-- What is wrong with the request itself, and will be at every attempt.
local FINAL = { invalid = true, too_large = true }

-- For the SDK: asks the engine for something, for a function `what` that the plugin called
-- and that does not leave by a tail call: errors name the plugin's line.
function native.ask(what, head, body)
  local reply, answer = native.request(head, body)
  if not reply then error(what .. ": " .. answer, 3) end
  if reply.ok then return reply, answer end
  local _, message = pcall(error, what .. ": " .. reply.message, LINE)
  error(FINAL[reply.code] and retry.never(message) or
        native.refusal(reply.code, message, reply.final), 0)
end

return retry
