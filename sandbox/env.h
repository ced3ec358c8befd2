/* env.h - what a plugin finds in its global environment. */
#pragma once

#include <lua.h>
#include <stdbool.h>

/* Raises Lua errors. */
void env_open(lua_State *L, bool jit);
