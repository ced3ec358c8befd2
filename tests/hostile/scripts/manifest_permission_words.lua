-- manifest_permission_words.lua - Permissions that moonhook does not know, with line breaks
-- and NUL in them.
-- expect: install refused /\/permissions item 2 is no permission/
return {
  name = "manifest-permission-words", version = "1.0.0",
  permissions = { "alerts:read", "http:x\r\nevents:emit\0" },
  on_alert = function() end,
}
