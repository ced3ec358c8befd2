-- require_itself.lua - A file that requires itself runs for ever, unless somebody counts.
-- expect: install refused /module 'plugin' requires itself/
return require "plugin"
