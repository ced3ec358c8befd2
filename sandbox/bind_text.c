/* bind_text.c - characters of UTF-8 for lua/moonhook/text.lua. */
#include "bind.h"

#include "base/utf8.h"

#include <lauxlib.h>

/* (text, characters) -> bytes of the first so many; bytes that are no UTF-8 count as
 * one character each. */
static int span(lua_State *L)
{
    size_t      bytes, at = 0;
    const char *text = luaL_checklstring(L, 1, &bytes);
    lua_Number  left = luaL_checknumber(L, 2);

    for (; at < bytes && left >= 1; left--) {
        size_t length = utf8_length(text + at, bytes - at);
        at += length ? length : 1;
    }
    lua_pushnumber(L, (lua_Number)at);
    return 1;
}

/* (text, bytes) -> as many or less, so that no character is split. */
static int cut(lua_State *L)
{
    size_t      bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    lua_Number  wanted = luaL_checknumber(L, 2);

    if (wanted >= 0 && wanted < (lua_Number)bytes)
        bytes = utf8_cut(text, (size_t)wanted);
    lua_pushnumber(L, (lua_Number)bytes);
    return 1;
}

void bind_text(lua_State *L)
{
    lua_pushcfunction(L, span);
    lua_setfield(L, -2, "utf8_span");
    lua_pushcfunction(L, cut);
    lua_setfield(L, -2, "utf8_cut");
}
