-- http_top_level.lua - Calls home while it is inspected, before anybody approved it.
-- expect: install refused /only hooks can ask for something/
-- open:   0
require("moonhook.http").get("http://127.0.0.2:OPEN_PORT/")
return {}
