-- ssrf_spellings.lua - Every way to write an address that is not public, with a permission
-- that names every host. What is no plain address is refused as it is read; what is one is
-- refused as it is dialled. The service on 127.0.0.1 must hear nothing.
-- expect: result {"wrong":[]}
local http, json = require "moonhook.http", require "moonhook.json"

local SPELLINGS = {
  blocked = {
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1",
    "169.254.169.254", "224.0.0.1", "255.255.255.255", "localhost", "LOCALHOST", "[::1]", "[::]",
    "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::FFFF:10.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]",
    "[2002:7f00:1::]", "[2002:a00:1::1]", "[fd00::1]", "[fe80::1]", "[fec0::1]", "[2001::1]",
    "[100::1]",
  },
  invalid = {
    "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "017700000001",
    "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "0", "0x0", "256.0.0.1", "127.0.0.1.1",
    "user@127.0.0.1", "u:p@127.0.0.1", "127.0.0.2@127.0.0.1", "127.0.0.1\\@example.com",
    "%31%32%37.0.0.1", "127.0.0.1%00.example.com", "127\227\128\1300\227\128\1300\227\128\1301",
    "\226\145\160\226\145\161\226\145\166.0.0.1", "loc\194\173alhost", "[::1%25lo]",
    "[fe80::1%lo]", "[::1", "::1", "[127.0.0.1]", "[::ffff:0x7f.1]", "127.0.0.1:1", "", ".",
    "a..b",
  },
}

return {
  name = "ssrf-spellings", version = "1.0.0", permissions = { "alerts:read", "http:*:CLOSED_PORT" },
  on_alert = function()
    local wrong = json.array()
    for wanted, hosts in pairs(SPELLINGS) do
      for _, host in ipairs(hosts) do
        local res = http.get("http://" .. host .. ":CLOSED_PORT/")
        local code = (res.error or { code = "reached" }).code
        if code ~= wanted then wrong[#wrong + 1] = host .. " " .. code end
      end
    end
    return { wrong = wrong }
  end,
}
