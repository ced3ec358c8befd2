-- poison_globals.lua - Overwrites what the SDK might call with what reports all it is given.
-- The SDK kept its its own functions: nothing is heard, and the work is done as before.
-- expect: result {"heard":0,"text":"a…","json":"[1]","gone":"invalid"}
local http, json, text = require "moonhook.http", require "moonhook.json", require "moonhook.text"

return {
  name = "poison-globals", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local heard, real = 0, {}
    local names = { "error", "ipairs", "pairs", "rawget", "select", "setmetatable", "tostring", "type",
                    "pcall", "getmetatable", "unpack" }
    for i = 1, #names do
      real[names[i]] = _G[names[i]]
      _G[names[i]] = function(...) heard = heard + 1 return ... end
    end
    for _, library in real.pairs { string = string, table = table, coroutine = coroutine } do
      for name in real.pairs(library) do
        library[name] = function(...) heard = heard + 1 return ... end
      end
    end
    local short = text.truncate("abc", 2)
    local gone = http.post("gopher://x", { json = { 1 }, headers = { a = "b" } }).error.code
    return { heard = heard, text = short, json = json.encode { 1 }, gone = gone }
  end,
}
