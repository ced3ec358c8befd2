/* bind.h - C functions for Lua. */
#pragma once

#include <lua.h>

/* Globals: tostring and string.format without addresses, a debug that can do nothing
 * but traceback. */
void bind_base(lua_State *L);

/* Pushes the table of C functions that the SDK is built on; plugins never see it. */
void bind_native(lua_State *L);

/* Each adds its functions to the table on top. */
void bind_json(lua_State *L);
void bind_log(lua_State *L);
void bind_request(lua_State *L);
void bind_text(lua_State *L);
void bind_time(lua_State *L);
