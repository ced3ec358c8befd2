-- memory_top_level.lua - Takes all memory before there is a manifest.
-- expect: install refused /does not load: .*memory/
local all = {}
while true do all[#all + 1] = ("x"):rep(1000) .. #all end
