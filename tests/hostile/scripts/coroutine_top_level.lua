-- coroutine_top_level.lua - Yields while plugin.lua is read, so that it is never done.
-- expect: install refused /yielded while it was loaded/
coroutine.yield()
return {}
