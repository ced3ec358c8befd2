/* env.c - see env.h. Lists name what stays; whatever else a library holds, now or
 * in a later LuaJIT, is removed. Of the libraries, package, io, debug and ffi are
 * never opened; jit is opened only where it is permitted, for its effect. */
#include "env.h"

#include "base/util.h"
#include "bind.h"
#include "json.h"
#include "modules.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static const char *const kept_globals[] = {
    "_G", "_VERSION", "assert", "bit", "collectgarbage", "coroutine", "error", "getmetatable",
    "ipairs", "load", "loadstring", "math", "next", "os", "pairs", "pcall", "rawequal", "rawget",
    "rawset", "select", "setmetatable", "string", "table", "tonumber", "type", "unpack", "xpcall",
    NULL,
};
static const char *const kept_string[] = {
    "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
    "sub", "upper", NULL,
};
static const char *const kept_os[] = { "clock", "date", "difftime", "time", NULL };
static const char *const kept_table[] = {
    "concat", "insert", "maxn", "move", "remove", "sort", NULL,
};
static const char *const kept_coroutine[] = {
    "create", "isyieldable", "resume", "running", "status", "wrap", "yield", NULL,
};
static const char *const kept_math[] = {
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod",
    "frexp", "huge", "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "random",
    "randomseed", "sin", "sinh", "sqrt", "tan", "tanh", NULL,
};
static const char *const kept_bit[] = {
    "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit",
    "tohex", NULL,
};

static const struct { const char *table; const char *const *kept; } reduced[] = {
    { "string", kept_string }, { "os", kept_os }, { "table", kept_table }, { "math", kept_math },
    { "coroutine", kept_coroutine }, { "bit", kept_bit }, { "_G", kept_globals },
};

static const lua_CFunction libraries[] = {
    luaopen_base, luaopen_table, luaopen_string, luaopen_math, luaopen_os, luaopen_bit,
};

static bool is_kept(const char *const *kept, const char *name)
{
    for (; *kept != NULL; kept++)
        if (strcmp(*kept, name) == 0)
            return true;
    return false;
}

/* Clears fields of the table on top, and pops it. Clearing is allowed while
 * lua_next() walks. */
static void reduce(lua_State *L, const char *const *kept)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && is_kept(kept, lua_tostring(L, -2)))
            continue;
        lua_pushvalue(L, -2);
        lua_pushnil(L);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
}

static void open_libraries(lua_State *L, bool jit)
{
    for (size_t i = 0; i < ARRAY_LEN(libraries) + jit; i++) {
        lua_pushcfunction(L, i < ARRAY_LEN(libraries) ? libraries[i] : luaopen_jit);
        lua_call(L, 0, 0);
    }
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | (jit ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));
}

/* ("x"):format() works, getmetatable("") shows nothing that could be written. */
static void lock_strings(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

/* Two processes of one plugin must not draw the same numbers. */
static void seed_random(lua_State *L)
{
    uint32_t seed = 0;

    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        luaL_error(L, "no randomness");
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, seed);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

void env_open(lua_State *L, bool jit)
{
    open_libraries(L, jit);
    for (size_t i = 0; i < ARRAY_LEN(reduced); i++) {
        lua_getglobal(L, reduced[i].table);
        reduce(L, reduced[i].kept);
    }
    lock_strings(L);
    seed_random(L);
    json_open(L);
    bind_base(L);
    bind_native(L);
    modules_open(L);
    modules_boot(L, "boot.lua");
}
