-- loop_top_level_pattern.lua - The same in one call of C.
-- expect: install refused /loading the plugin took longer/
return ("a"):rep(300):find(".-.-.-.-.-b")
