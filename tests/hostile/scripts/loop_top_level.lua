-- loop_top_level.lua - Loops while plugin.lua is read: install must not hang, nor leave a
-- process.
-- expect: install refused /plugin\.lua:\d+: .*used up its \d+ ms/
while true do end
