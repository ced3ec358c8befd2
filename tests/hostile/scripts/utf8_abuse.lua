-- utf8_abuse.lua - Text that is not text: overlong forms, surrogates, cut characters, a
-- megabyte of them.
-- expect: result {"ok":true}
return {
  name = "utf8-abuse", version = "1.0.0", permissions = { "alerts:read" },
  on_alert = function()
    local text, json = require "moonhook.text", require "moonhook.json"
    for _, piece in ipairs { "\192\175", "\224\128\128", "\237\160\128", "\244\144\128\128", "\255", "\128",
                             "\240\159", "\0", "\226\128\174" } do
      for _, length in ipairs { 0, 1, 2, -1, 1e9, 0 / 0 } do
        text.truncate(piece:rep(1000), length)
        text.truncate_bytes(piece:rep(1000), length)
      end
      json.decode(json.encode(piece:rep(1e5)))
      text.html(piece) text.slack(piece) text.markdown(piece)
    end
    return { ok = true }
  end,
}
