/* json.c - the values of JSON that Lua has no own ones for; see json.h. */
#include "json.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

#define ARRAY   "moonhook.json.array"

enum { DIGITS = 24 };

void json_push_null(lua_State *L) { lua_pushlightuserdata(L, NULL); }

void json_push_array_mark(lua_State *L) { luaL_getmetatable(L, ARRAY); }

bool json_is_int64(lua_State *L, int index, int64_t *out)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, JSON_INT64);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (same)
        *out = *(const int64_t *)lua_touserdata(L, index);
    return same;
}

/* ---- What they do ------------------------------------------------------------------ */

static int null_to_string(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

/* alert.labels.team is nil where labels is null, as where it is missing. */
static int null_index(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

static int integer_to_string(lua_State *L)
{
    char    text[DIGITS];
    int64_t value;

    if (!json_is_int64(L, 1, &value))
        return luaL_argerror(L, 1, "an integer of moonhook.json was expected");
    snprintf(text, sizeof text, "%" PRId64, value);
    lua_pushstring(L, text);
    return 1;
}

static void push_text_of(lua_State *L, int index)
{
    if (luaL_callmeta(L, index, "__tostring"))
        return;
    luaL_checkstring(L, index);
    lua_pushvalue(L, index);
}

static int text_concat(lua_State *L)
{
    push_text_of(L, 1);
    push_text_of(L, 2);
    lua_concat(L, 2);
    return 1;
}

/* Integers may stand beside numbers in a comparison; past 2^53 the number is the
 * one that is not exact. */
static int compare(lua_State *L)
{
    int64_t a, b;

    if (json_is_int64(L, 1, &a) && json_is_int64(L, 2, &b))
        return a < b ? -1 : a > b;
    double x = json_is_int64(L, 1, &a) ? (double)a : luaL_checknumber(L, 1);
    double y = json_is_int64(L, 2, &b) ? (double)b : luaL_checknumber(L, 2);
    return x < y ? -1 : x > y;
}

static int integer_eq(lua_State *L) { lua_pushboolean(L, compare(L) == 0); return 1; }
static int integer_lt(lua_State *L) { lua_pushboolean(L, compare(L) < 0);  return 1; }
static int integer_le(lua_State *L) { lua_pushboolean(L, compare(L) <= 0); return 1; }

static const luaL_Reg null_methods[] = {
    { "__tostring", null_to_string }, { "__concat", text_concat }, { "__index", null_index },
    { NULL, NULL },
};
static const luaL_Reg integer_methods[] = {
    { "__tostring", integer_to_string }, { "__concat", text_concat }, { "__eq", integer_eq },
    { "__lt", integer_lt }, { "__le", integer_le }, { NULL, NULL },
};
static const luaL_Reg no_methods[] = { { NULL, NULL } };

/* Leaves a metatable that Lua code can neither read nor replace. */
static void new_metatable(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_register(L, NULL, methods);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

void json_open(lua_State *L)
{
    new_metatable(L, JSON_INT64, integer_methods);
    new_metatable(L, ARRAY, no_methods);
    json_push_null(L);                      /* light userdata share one metatable */
    new_metatable(L, "moonhook.json.null", null_methods);
    lua_setmetatable(L, -2);
    lua_pop(L, 3);
}
