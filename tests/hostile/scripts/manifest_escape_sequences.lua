-- manifest_escape_sequences.lua - An author and a description that make a terminal act when a
-- person lists the plugins.
-- expect: result {"ok":true}
return {
  name = "manifest-escape-sequences", version = "1.0.0", permissions = { "alerts:read" },
  author = "\27[2J\27]0;owned\7", description = "\27[31mred\r\nTrust: builtin",
  on_alert = function() return { ok = true } end,
}
