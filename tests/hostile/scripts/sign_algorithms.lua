-- sign_algorithms.lua - Algorithms that are no such, tokens that bring their own, texts with
-- NUL.
-- expect: result {"accepted":[]}
local sign, json = require "moonhook.sign", require "moonhook.json"

return {
  name = "sign-algorithms", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local accepted = json.array()
    for _, algorithm in ipairs { "", "none", "md5", "sha256\0", "SHA256 ", ("x"):rep(1e6), "../sha256" } do
      if pcall(sign.hmac, algorithm, "k", "t") then accepted[#accepted + 1] = algorithm end
      if pcall(sign.digest, "sha256", "t", algorithm) then accepted[#accepted + 1] = "as " .. algorithm end
    end
    for _, token in ipairs {
      "", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.", ("."):rep(1e5),
      "eyJhbGciOiJub25lIn0.e30", sign.jwt({ a = 1 }, "other"), sign.jwt({ exp = 1 }, "k"), ("A"):rep(1e6),
    } do
      local ok, claims = pcall(sign.jwt_verify, token, "k")
      if ok and claims then accepted[#accepted + 1] = token:sub(1, 40) end
    end
    return { accepted = accepted }
  end,
}
