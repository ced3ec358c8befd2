-- load_endless_reader.lua - Hands the compiler blanks for ever: a loop that is half in C.
-- expect: error timeout /plugin\.lua:\d+.*300 ms|longer than 300 ms/
return {
  name = "load-endless-reader", version = "1.0.0", permissions = { "alerts:read" },
  limits = { timeout_ms = 300 },
  on_alert = function()
    while not load(function() return " " end) do end
  end,
}
