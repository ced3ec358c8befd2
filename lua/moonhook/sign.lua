-- moonhook.sign - signatures, digests and tokens that prove who sent something:
--
--   local mac = sign.hmac("sha256", ctx.config.secret, body)           hex
--   if not sign.equal("sha256=" .. mac, header) then ... end
--   local token = sign.jwt({ sub = "moonhook", exp = time.now() + 60 }, ctx.config.secret)
--
-- The engine computes them: it knows the value behind a secret's token. A token is
-- replaced in keys and in both sides of equal(), alone or inside other text; in what is
-- signed or digested it is the text that it is.
local _, native = ...

require "moonhook.retry"

local error, type = error, type
local ask, decode, encode = native.ask, native.decode, native.encode

local sign = {}

-- The line that an error names is that of whoever called the SDK.
local function check(value, wanted, what)
  if type(value) ~= wanted then
    error(what .. " must be a " .. wanted .. ", not a " .. type(value), 3)
  end
end

-- `algorithm`: "sha1", "sha256" or "sha512"; `encoding`: "hex" where not given,
-- "base64", "base64url" or "raw".
function sign.hmac(algorithm, key, text, encoding)
  check(algorithm, "string", "sign.hmac: the algorithm")
  check(key, "string", "sign.hmac: the key")
  check(text, "string", "sign.hmac: the text")
  if encoding ~= nil then check(encoding, "string", "sign.hmac: the encoding") end
  local _, mac = ask("sign.hmac", { op = "sign", what = "hmac", algorithm = algorithm,
                                    encoding = encoding, key_bytes = #key }, key .. text)
  return mac
end

function sign.digest(algorithm, text, encoding)
  check(algorithm, "string", "sign.digest: the algorithm")
  check(text, "string", "sign.digest: the text")
  if encoding ~= nil then check(encoding, "string", "sign.digest: the encoding") end
  local _, digest = ask("sign.digest", { op = "sign", what = "digest", algorithm = algorithm,
                                         encoding = encoding }, text)
  return digest
end

-- In a time that does not tell where the two differ.
function sign.equal(a, b)
  check(a, "string", "sign.equal: the first text")
  check(b, "string", "sign.equal: the second text")
  local reply = ask("sign.equal", { op = "sign", what = "equal", key_bytes = #a }, a .. b)
  return reply.equal
end

-- A JWT, signed with HS256.
function sign.jwt(claims, key)
  check(claims, "table", "sign.jwt: the claims")
  check(key, "string", "sign.jwt: the key")
  local text, why = encode(claims)
  if not text then error("sign.jwt: the claims: " .. why, 2) end
  local _, token = ask("sign.jwt", { op = "sign", what = "jwt", key_bytes = #key }, key .. text)
  return token
end

-- The claims of a JWT that was signed with HS256 and this key, and whose time is now, give
-- or take options.leeway_s seconds; or nil and why not.
function sign.jwt_verify(token, key, options)
  check(token, "string", "sign.jwt_verify: the token")
  check(key, "string", "sign.jwt_verify: the key")
  if options ~= nil then check(options, "table", "sign.jwt_verify: the options") end
  local leeway_s = options and options.leeway_s
  if leeway_s ~= nil then check(leeway_s, "number", "sign.jwt_verify: leeway_s") end
  local reply, claims = ask("sign.jwt_verify", { op = "sign", what = "jwt_verify", leeway_s = leeway_s,
                                                 key_bytes = #key }, key .. token)
  if reply.refused then return nil, reply.refused end
  return decode(claims)
end

return sign
