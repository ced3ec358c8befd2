---@meta moonhook.sign
local sign = {}

---@alias moonhook.sign.Algorithm "sha1"|"sha256"|"sha512"
---@alias moonhook.sign.Encoding "hex"|"base64"|"base64url"|"raw"

---The HMAC of `text`. The key may be, or hold, a secret of the configuration.
---@param algorithm moonhook.sign.Algorithm
---@param key string
---@param text string
---@param encoding? moonhook.sign.Encoding      "hex" where not given
---@return string
function sign.hmac(algorithm, key, text, encoding) end

---@param algorithm moonhook.sign.Algorithm
---@param text string               a secret's token in it is the text that it is
---@param encoding? moonhook.sign.Encoding      "hex" where not given
---@return string
function sign.digest(algorithm, text, encoding) end

---Compares in a time that does not tell where the two differ. Either may be a secret.
---@param a string
---@param b string
---@return boolean
function sign.equal(a, b) end

---A JWT, signed with HS256.
---@param claims table
---@param key string
---@return string
function sign.jwt(claims, key) end

---The claims of a JWT that is signed with HS256 and this key and valid now; or nil and why not.
---@param token string
---@param key string
---@param options? { leeway_s?: integer }       how far clocks may be apart, at most a day
---@return table? claims
---@return string? why
function sign.jwt_verify(token, key, options) end

return sign
