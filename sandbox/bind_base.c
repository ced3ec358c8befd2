/* bind_base.c - the basic functions that Lua's own would do less safely. Where a
 * thing lies in memory is nobody's business: an address is half of an exploit. */
#include "bind.h"

#include "outcome.h"
#include "trace.h"

#include <lauxlib.h>
#include <string.h>

enum { FORMAT_MOST_ARGUMENTS = 64 };

/* Numbers, booleans and nil as Lua writes them; of the rest only the type. */
static void push_text(lua_State *L, int index)
{
    if (luaL_callmeta(L, index, "__tostring")) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "'__tostring' must return a string");
        return;
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL:     lua_pushliteral(L, "nil"); break;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER:
    case LUA_TSTRING:  lua_pushvalue(L, index); lua_tostring(L, -1); break;
    default:           lua_pushstring(L, luaL_typename(L, index)); break;
    }
}

static int to_string(lua_State *L)
{
    luaL_checkany(L, 1);
    push_text(L, 1);
    return 1;
}

static bool has_address(int type)
{
    return type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TTHREAD ||
           type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA;
}

/* "%p" with any flags and width, but not "%%p". */
static bool wants_address(const char *format, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (format[i] != '%')
            continue;
        i++;
        while (i < bytes && format[i] != '\0' && strchr("-+ #0123456789.", format[i]) != NULL)
            i++;
        if (i < bytes && format[i] == 'p')
            return true;
    }
    return false;
}

/* string.format: upvalue 1 is LuaJIT's. */
static int format(lua_State *L)
{
    size_t      bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    int         count = lua_gettop(L);

    luaL_argcheck(L, count <= FORMAT_MOST_ARGUMENTS, FORMAT_MOST_ARGUMENTS, "too many arguments");
    luaL_argcheck(L, !wants_address(text, bytes), 1, "'%p' is not available in plugins");
    for (int i = 2; i <= count; i++)
        if (has_address(lua_type(L, i))) {
            push_text(L, i);
            lua_replace(L, i);
        }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    if (lua_pcall(L, count, 1, 0) != 0)     /* it knows neither its name nor the caller */
        return luaL_error(L, "%s", luaL_gsub(L, lua_tostring(L, -1), "'?'", "'format'"));
    return 1;
}

/* debug.traceback([thread,] [message [, level]]) */
static int traceback(lua_State *L)
{
    lua_State *of = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    int        message = lua_isthread(L, 1) ? 2 : 1;

    lua_settop(L, 3);
    if (!lua_isnil(L, message) && !lua_isstring(L, message)) {
        lua_pushvalue(L, message);
        return 1;
    }
    int   level = (int)luaL_optinteger(L, message + 1, of == L);
    char *text = lua_newuserdata(L, TRACE_BYTES);
    trace_write(of, level, text, TRACE_BYTES);
    if (lua_isnil(L, message)) {
        lua_pushstring(L, text);
        return 1;
    }
    lua_pushvalue(L, message);
    lua_pushliteral(L, "\n");
    lua_pushstring(L, text);
    lua_concat(L, 3);
    return 1;
}

void bind_base(lua_State *L)
{
    lua_register(L, "tostring", to_string);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, format, 1);
    lua_setfield(L, -2, "format");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, traceback);
    lua_setfield(L, -2, "traceback");
    lua_setglobal(L, "debug");
}

void bind_native(lua_State *L)
{
    lua_newtable(L);
    luaL_newmetatable(L, OUTCOME_RETRY);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setfield(L, -2, "RETRY");
    bind_json(L);
    bind_log(L);
    bind_request(L);
    bind_text(L);
    bind_time(L);
}
