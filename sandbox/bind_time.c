/* bind_time.c - wall time for lua/moonhook/time.lua, in seconds since 1970. */
#include "bind.h"

#include "base/clock.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

static const double LAST_S = 253402300799.999;      /* the end of the year 9999 */

static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)clock_now_ms() / 1000);
    return 1;
}

/* (seconds) -> "2026-01-22T10:00:00.000Z" | nil */
static int iso(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    char   text[CLOCK_TEXT_BYTES];

    if (!(seconds >= -62167219200.0 && seconds <= LAST_S))
        return 0;
    clock_format((int64_t)floor(seconds * 1000 + 0.5), text);
    lua_pushstring(L, text);
    return 1;
}

/* (text) -> seconds | nil */
static int parse(lua_State *L)
{
    size_t      bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    int64_t     ms;

    if (strlen(text) != bytes || clock_parse(text, &ms) != MH_OK)
        return 0;
    lua_pushnumber(L, (lua_Number)ms / 1000);
    return 1;
}

void bind_time(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "now", now }, { "iso", iso }, { "parse_time", parse }, { NULL, NULL },
    };
    luaL_register(L, NULL, functions);
}
