/* outcome.c - see outcome.h. */
#include "outcome.h"

#include "base/util.h"
#include "host.h"
#include "json.h"
#include "base/utf8.h"
#include "watchdog.h"

#include <lauxlib.h>
#include <string.h>

static void set_message(struct outcome *o, const char *text, size_t bytes)
{
    if (bytes > sizeof o->message)
        bytes = utf8_cut(text, sizeof o->message);
    memcpy(o->message, text, bytes);
    o->message_bytes = bytes;
}

void outcome_set(struct outcome *o, enum mh_err err, const char *message)
{
    o->err = err;
    o->after_s = -1;
    o->never = o->too_large = false;
    o->trace[0] = '\0';
    set_message(o, message, strlen(message));
}

void outcome_protected(struct outcome *o, lua_State *L, int status)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no message";

    outcome_set(o, status == LUA_ERRMEM ? MH_MEMORY : MH_PLUGIN, text);
    lua_pop(L, 1);
}

/* ---- Values that were raised --------------------------------------------------------- */

static bool is_retry(lua_State *L, int index)
{
    if (!lua_istable(L, index) || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, OUTCOME_RETRY);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void get_raw(lua_State *L, int index, const char *field)
{
    lua_pushstring(L, field);
    lua_rawget(L, index);
}

/* What the engine refused keeps its name, also where the SDK raised it. */
static void read_code(struct outcome *o, lua_State *L)
{
    static const enum mh_err codes[] = { MH_LIMIT, MH_DENIED, MH_BUSY, MH_UNAVAILABLE };

    get_raw(L, 1, "code");
    for (size_t i = 0; lua_type(L, -1) == LUA_TSTRING && i < ARRAY_LEN(codes); i++)
        if (o->err == MH_PLUGIN && strcmp(lua_tostring(L, -1), err_code(codes[i])) == 0)
            o->err = codes[i];
}

static void read_retry(struct outcome *o, lua_State *L)
{
    get_raw(L, 1, "after_s");
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 0 && lua_tonumber(L, -1) < 1e9)
        o->after_s = lua_tonumber(L, -1);
    get_raw(L, 1, "never");
    o->never = lua_toboolean(L, -1);
    read_code(o, L);
}

/* What people should read of a value: text as it is, of a table its __tostring or
 * its field "message". */
static void push_text(lua_State *L)
{
    if (lua_isstring(L, 1) || luaL_callmeta(L, 1, "__tostring"))
        return;
    if (lua_istable(L, 1)) {
        get_raw(L, 1, "message");
        if (lua_isstring(L, -1))
            return;
    }
    lua_pushfstring(L, "the plugin raised a %s value as its error", luaL_typename(L, 1));
}

/* The coroutine is dead, so whatever runs for its error runs on another stack. */
struct raised { struct outcome *outcome; lua_State *co; };

static int read_value(lua_State *L)
{
    struct raised  *raised = lua_touserdata(L, 1);
    struct outcome *o = raised->outcome;
    size_t          bytes;

    lua_settop(L, 0);
    lua_xmove(raised->co, L, 1);
    if (is_retry(L, 1))
        read_retry(o, L);
    lua_settop(L, 1);
    push_text(L);
    const char *text = lua_tolstring(L, -1, &bytes);
    if (text != NULL)
        set_message(o, text, bytes);
    return 0;
}

/* The time ran out while the value was read, so that is what the call failed of. */
static void set_late(struct outcome *o, lua_State *L, bool raised)
{
    o->err = watchdog_fired();
    memcpy(o->trace, watchdog_trace(), sizeof o->trace);
    if (raised && lua_type(L, -1) == LUA_TSTRING)
        set_message(o, lua_tostring(L, -1), lua_objlen(L, -1));
}

/* The plugin's own innermost place in the trace, as "plugin.lua:7: "; 0 bytes where there
 * is none. */
static size_t own_place(const char *trace, const char **place)
{
    *place = trace;
    for (const char *at = trace; (at = strstr(at, "\n\t")) != NULL;) {
        at += 2;
        size_t name = strcspn(at, ":\n");
        size_t digits = at[name] == ':' ? strspn(at + name + 1, "0123456789") : 0;
        if (strncmp(at, "moonhook/", 9) != 0 && digits > 0 &&
            strncmp(at + name + 1 + digits, ": ", 2) == 0) {
            *place = at;
            return name + 1 + digits + 2;
        }
    }
    return 0;
}

/* Faults of the VM itself have no place in their message, those that were met inside an
 * SDK module have one that is not the author's: that of the trace is put before it. */
static void add_place(struct outcome *o)
{
    static const char overflow[] = "stack overflow";
    const char *place;
    size_t      bytes = own_place(o->trace, &place);
    bool        of_vm = o->err == MH_MEMORY || (o->message_bytes == sizeof overflow - 1 &&
                                         memcmp(o->message, overflow, sizeof overflow - 1) == 0);
    bool        of_sdk = o->message_bytes > 9 && memcmp(o->message, "moonhook/", 9) == 0;

    if (!(of_vm || of_sdk) || bytes == 0 || bytes + o->message_bytes > sizeof o->message)
        return;
    memmove(o->message + bytes, o->message, o->message_bytes);
    memcpy(o->message, place, bytes);
    o->message_bytes += bytes;
}

void outcome_from(struct outcome *o, lua_State *co, int status)
{
    enum mh_err over = watchdog_fired();

    outcome_set(o, over != MH_OK ? over : status == LUA_ERRMEM ? MH_MEMORY : MH_PLUGIN,
                "the plugin raised an error that cannot be shown");
    trace_write(co, 0, o->trace, sizeof o->trace);
    if (over != MH_OK)
        memcpy(o->trace, watchdog_trace(), sizeof o->trace);
    if (o->err == MH_MEMORY) {
        set_message(o, err_text(MH_MEMORY), strlen(err_text(MH_MEMORY)));
        add_place(o);
        return;
    }
    struct raised raised = { o, co };
    lua_State    *L = host_of(co)->L;
    bool          failed = lua_cpcall(L, read_value, &raised) != 0;
    if (over == MH_OK && watchdog_fired() != MH_OK)
        set_late(o, L, failed);
    if (failed)
        lua_pop(L, 1);
    add_place(o);
}

/* ---- Writing -------------------------------------------------------------------------- */

enum mh_err outcome_write(const struct outcome *o, struct buf *out)
{
    enum mh_err err = buf_printf(out, "\"code\":\"%s\",\"message\":", err_code(o->err));

    if (err == MH_OK)
        err = json_put_string(out, o->message, o->message_bytes, true);
    if (err == MH_OK)
        err = buf_puts(out, ",\"trace\":");
    if (err == MH_OK)
        err = json_put_string(out, o->trace, strlen(o->trace), true);
    if (err == MH_OK && o->too_large)
        err = buf_puts(out, ",\"too_large\":true");
    if (err == MH_OK && o->never)
        err = buf_puts(out, ",\"retry\":{\"never\":true}");
    if (err == MH_OK && !o->never && o->after_s >= 0)
        err = buf_printf(out, ",\"retry\":{\"after_s\":%.3f}", o->after_s);
    return err;
}
