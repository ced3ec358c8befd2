/* load.c - see load.h. The manifest is what plugin.lua returns, less its functions;
 * the engine judges it, here only what it cannot see is checked. */
#include "load.h"

#include "base/util.h"
#include "jail.h"
#include "json.h"
#include "watchdog.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLUGIN_FILE "plugin.lua"

enum { RESULT_MOST_BYTES = 4 * 1024 * 1024, FAILED_LINGER_S = 1 };

static const char *const texts[] = {        /* what LOADED takes over as it stands */
    "name", "version", "author", "description", "categories", "permissions", "config", "limits",
    "fail",
};
static const char *const hooks[] = {
    "on_alert", "on_anomaly_detected", "on_sla_breach", "on_thread_created",
    "on_execution_complete", "on_error", "on_event", "dashboard",
};

/* ---- FILE ------------------------------------------------------------------------------ */

struct reading { struct host *host; const struct frame *frame; };

static int add_file(lua_State *L)
{
    struct reading *r = lua_touserdata(L, 1);

    json_decode(L, r->frame->head, r->frame->head_bytes);
    lua_getfield(L, -1, "name");
    if (modules_add(&r->host->modules, luaL_checkstring(L, -1), r->frame->body,
                    r->frame->body_bytes) != MH_OK)
        return luaL_error(L, "too many files, or too large");
    return 0;
}

void load_take_file(struct host *h, const struct frame *f)
{
    struct reading r = { h, f };

    if (lua_cpcall(h->L, add_file, &r) != 0)
        link_broken();
}

/* ---- The head of LOAD ---------------------------------------------------------------------- */

static double number_of(lua_State *L, int table, const char *field, double otherwise)
{
    lua_getfield(L, table, field);
    double value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return value;
}

static int read_head(lua_State *L)
{
    struct reading *r = lua_touserdata(L, 1);
    struct host    *h = r->host;
    const char     *why;

    json_decode(L, r->frame->head, r->frame->head_bytes);
    lua_getfield(L, 2, "limits");
    luaL_checktype(L, 3, LUA_TTABLE);
    h->limits.timeout_ms = (int64_t)number_of(L, 3, "timeout_ms", 5000);
    h->limits.cpu_ms = (int64_t)number_of(L, 3, "cpu_ms", (double)h->limits.timeout_ms);
    h->limits.log_lines = (unsigned)number_of(L, 3, "log_lines", 64);
    double result_bytes = number_of(L, 3, "result_bytes", 256 * MH_KIB);
    if (!(result_bytes >= 0 && result_bytes <= RESULT_MOST_BYTES))
        return luaL_error(L, "limits");
    h->limits.result_bytes = (size_t)result_bytes;
    lua_getfield(L, 2, "config");
    why = json_encode(L, -1, &h->config, true);
    return why ? luaL_error(L, "config: %s", why) : 0;
}

/* ---- The manifest ---------------------------------------------------------------------------- */

static void must(lua_State *L, enum mh_err err)
{
    if (err != MH_OK)
        luaL_error(L, PLUGIN_FILE ": the manifest is too large");
}

static void get_raw(lua_State *L, int table, const char *field)
{
    lua_pushstring(L, field);
    lua_rawget(L, table);
}

/* An empty Lua table is {} in JSON; where only a list can be meant, it becomes one. */
static void as_list(lua_State *L, int table, const char *field)
{
    get_raw(L, table, field);
    if (lua_istable(L, -1) && !lua_getmetatable(L, -1)) {
        json_push_array_mark(L);
        lua_setmetatable(L, -2);
    }
    lua_settop(L, -2);
}

static void mend_lists(lua_State *L, int plugin)
{
    int top = lua_gettop(L);

    as_list(L, plugin, "categories");
    as_list(L, plugin, "permissions");
    lua_settop(L, top);
    get_raw(L, plugin, "config");
    if (lua_istable(L, -1))
        for (lua_pushnil(L); lua_next(L, top + 1); lua_settop(L, top + 2)) {
            if (!lua_istable(L, -1))
                continue;
            as_list(L, top + 3, "enum");
            lua_settop(L, top + 3);
            get_raw(L, top + 3, "type");
            if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "array") == 0)
                as_list(L, top + 3, "default");
        }
    lua_settop(L, top);
}

static void write_texts(lua_State *L, int plugin, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        get_raw(L, plugin, texts[i]);
        if (!lua_isnil(L, -1)) {
            must(L, buf_printf(out, "\"%s\":", texts[i]));
            const char *why = json_encode(L, -1, out, true);
            if (why != NULL)
                luaL_error(L, PLUGIN_FILE ": %s: %s", texts[i], why);
            must(L, buf_puts(out, ","));
        }
        lua_pop(L, 1);
    }
}

static bool is_hook(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        if (strcmp(hooks[i], name) == 0)
            return true;
    return false;
}

/* on_alret would never be called, and nobody would know why. */
static void check_names(lua_State *L, int plugin)
{
    for (lua_pushnil(L); lua_next(L, plugin); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        bool        hook = is_hook(name) || strcmp(name, "setup") == 0;
        if (strncmp(name, "on_", 3) == 0 && !hook)
            luaL_error(L, PLUGIN_FILE ": there is no hook '%s'", name);
        if (hook && !lua_isfunction(L, -1))
            luaL_error(L, PLUGIN_FILE ": %s must be a function", name);
    }
}

static bool has_function(lua_State *L, int plugin, const char *name)
{
    get_raw(L, plugin, name);
    bool has = lua_isfunction(L, -1);
    lua_pop(L, 1);
    return has;
}

static void write_hooks(lua_State *L, int plugin, struct buf *out)
{
    const char *comma = "";

    must(L, buf_puts(out, "\"hooks\":["));
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        if (has_function(L, plugin, hooks[i])) {
            must(L, buf_printf(out, "%s\"%s\"", comma, hooks[i]));
            comma = ",";
        }
    must(L, buf_puts(out, "]"));
}

/* And where it begins: a fault that ends the process can name no line. */
static void write_setup(lua_State *L, int plugin, struct buf *out)
{
    lua_Debug ar;
    char      place[LUA_IDSIZE + 16];

    if (!has_function(L, plugin, "setup")) {
        must(L, buf_puts(out, ",\"setup\":false"));
        return;
    }
    get_raw(L, plugin, "setup");
    lua_getinfo(L, ">S", &ar);
    int bytes = snprintf(place, sizeof place, "%s:%d", ar.short_src, ar.linedefined);
    must(L, buf_puts(out, ",\"setup\":true,\"setup_at\":"));
    must(L, json_put_string(out, place, (size_t)bytes, true));
}

/* Each endpoint less its handler. */
static void write_endpoints(lua_State *L, int plugin, struct buf *out)
{
    get_raw(L, plugin, "endpoints");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    int endpoints = lua_gettop(L);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, endpoints); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1) ||
            !has_function(L, lua_gettop(L), "handler"))
            luaL_error(L, PLUGIN_FILE ": endpoints must be [\"POST /path\"] = { handler = "
                          "function }");
        lua_pushvalue(L, -2);
        lua_newtable(L);
        for (lua_pushnil(L); lua_next(L, -4); lua_pop(L, 1)) {
            if (lua_isfunction(L, -1))
                continue;
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, -5);
        }
        lua_rawset(L, endpoints + 1);
    }
    must(L, buf_puts(out, ",\"endpoints\":"));
    const char *why = json_encode(L, -1, out, true);
    if (why != NULL)
        luaL_error(L, PLUGIN_FILE ": endpoints: %s", why);
    lua_settop(L, endpoints - 1);
}

static void write_jail(lua_State *L, struct buf *out)
{
    const char *comma = "";

    must(L, buf_puts(out, ",\"jail\":["));
    for (int i = 0; i < LAYER_COUNT; i++)
        if (layer_in(jail_layers(), (enum layer)i)) {
            must(L, buf_printf(out, "%s\"%s\"", comma, layer_name((enum layer)i)));
            comma = ",";
        }
    must(L, buf_puts(out, "]"));
}

/* Takes what plugin.lua returned from its coroutine, keeps it, describes it. */
static int describe(lua_State *L)
{
    lua_State   *co = lua_touserdata(L, 1);
    struct host *h = host_of(L);

    lua_settop(L, 0);
    if (lua_gettop(co) == 0 || !lua_istable(co, 1))
        return luaL_error(L, PLUGIN_FILE ": must return a table; see the name, version and hooks "
                             "of other plugins");
    lua_settop(co, 1);
    lua_xmove(co, L, 1);
    check_names(L, 1);
    mend_lists(L, 1);
    buf_reset(&h->head);
    must(L, buf_puts(&h->head, "{"));
    write_texts(L, 1, &h->head);
    write_hooks(L, 1, &h->head);
    write_setup(L, 1, &h->head);
    write_endpoints(L, 1, &h->head);
    write_jail(L, &h->head);
    must(L, buf_puts(&h->head, "}"));
    h->plugin = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* ---- LOAD ---------------------------------------------------------------------------------- */

static int prepare(lua_State *L)
{
    lua_State **co = lua_touserdata(L, 1);

    *co = lua_newthread(L);
    luaL_ref(L, LUA_REGISTRYINDEX);         /* for good: it is needed but once */
    switch (modules_compile(&host_of(L)->modules, L, PLUGIN_FILE)) {
    case MH_OK:        break;
    case MH_NOT_FOUND: return luaL_error(L, "there is no " PLUGIN_FILE);
    default:           return lua_error(L);
    }
    lua_pushliteral(L, "plugin");
    lua_xmove(L, *co, 2);
    return 0;
}

static bool run_plugin(struct host *h, lua_State *co)
{
    watchdog_begin(co, h->limits.timeout_ms * 1000, h->limits.cpu_ms * 1000);
    int status = lua_resume(co, 1);
    if (status == LUA_YIELD)
        outcome_set(&h->outcome, MH_PLUGIN, PLUGIN_FILE ": yielded while it was loaded");
    else if (status != 0)
        outcome_from(&h->outcome, co, status);
    watchdog_end();
    return status == 0;
}

/* The engine ends the process once it has read this; nobody waits for longer than
 * that. */
static void fail(struct host *h)
{
    buf_reset(&h->head);
    if (buf_puts(&h->head, "{") != MH_OK || outcome_write(&h->outcome, &h->head) != MH_OK ||
        buf_puts(&h->head, "}") != MH_OK)
        link_broken();
    link_send(&h->link, MSG_FAILED, 0, &h->head, NULL);
    watchdog_exit_in(FAILED_LINGER_S);
}

void load_take_load(struct host *h, const struct frame *f)
{
    struct reading r = { h, f };
    lua_State     *co = NULL;

    if (lua_cpcall(h->L, read_head, &r) != 0)
        link_broken();
    buf_init(&h->result, h->limits.result_bytes);
    watchdog_init(h->limits.timeout_ms, h->limits.cpu_ms);
    int status = lua_cpcall(h->L, prepare, &co);
    if (status == 0 && run_plugin(h, co))
        status = lua_cpcall(h->L, describe, co);
    else if (status == 0)
        status = -1;
    if (status > 0)
        outcome_protected(&h->outcome, h->L, status);
    h->loaded = status == 0;
    if (h->loaded)
        link_send(&h->link, MSG_LOADED, 0, &h->head, NULL);
    else
        fail(h);
}
