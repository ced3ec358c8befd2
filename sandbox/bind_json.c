/* bind_json.c - json.c for the SDK. Faults come back as nil and a sentence, so that
 * the SDK can name the plugin's line and not its own. */
#include "bind.h"

#include "host.h"
#include "json.h"

#include <lauxlib.h>

/* (value) -> text | nil, why. */
static int encode(lua_State *L)
{
    struct buf *out = &host_of(L)->body;

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    buf_reset(out);
    const char *why = json_encode(L, 1, out, false);
    if (why != NULL) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

static int decode_or_raise(lua_State *L)
{
    size_t      bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);

    json_decode(L, text, bytes);
    return 1;
}

/* (text) -> value | nil, why. */
static int decode(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_pushcfunction(L, decode_or_raise);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) == 0)
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* (table) -> the same, marked as an array. */
static int array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    json_push_array_mark(L);
    lua_setmetatable(L, 1);
    return 1;
}

void bind_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "encode", encode }, { "decode", decode }, { "array", array }, { NULL, NULL },
    };
    luaL_register(L, NULL, functions);
    json_push_null(L);
    lua_setfield(L, -2, "null");
}
