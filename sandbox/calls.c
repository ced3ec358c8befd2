/* calls.c - see calls.h. */
#include "calls.h"

#include "base/clock.h"
#include "base/util.h"
#include "json.h"
#include "watchdog.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Ends ------------------------------------------------------------------------------ */

static void drop(struct host *h, struct call *call)
{
    luaL_unref(h->L, LUA_REGISTRYINDEX, call->ref);
    list_unlink(&call->node);
    free(call);
}

/* Sends what h->outcome says. */
static void fail(struct host *h, uint32_t id, bool spent)
{
    buf_reset(&h->head);
    if (buf_printf(&h->head, "{\"ok\":false,%s", spent ? "\"spent\":true," : "") != MH_OK ||
        outcome_write(&h->outcome, &h->head) != MH_OK || buf_puts(&h->head, "}") != MH_OK)
        link_broken();
    link_send(&h->link, MSG_RESULT, id, &h->head, NULL);
}

/* Whether the plugin itself, between its hooks, holds what they would need: a process
 * where no hook can end well any more. */
static bool is_spent(const struct host *h)
{
    return list_empty(&h->calls) && h->heap.used_bytes > h->heap.max_bytes / 2;
}

/* What a failed call held is garbage now. Where memory was short, the next one shall
 * not fail for the same reason. */
static void fail_and_drop(struct host *h, struct call *call)
{
    bool     memory = h->outcome.err == MH_MEMORY;
    uint32_t id = call->id;

    drop(h, call);
    if (memory)
        lua_gc(h->L, LUA_GCCOLLECT, 0);
    fail(h, id, memory && is_spent(h));
}

static void succeed(struct host *h, struct call *call)
{
    buf_reset(&h->head);
    if (buf_puts(&h->head, "{\"ok\":true}") != MH_OK)
        link_broken();
    link_send(&h->link, MSG_RESULT, call->id, &h->head, &h->result);
    drop(h, call);
}

/* ---- Running --------------------------------------------------------------------------- */

/* The coroutine has ended, so its value is encoded on the main stack. */
static int encode_result(lua_State *L)
{
    lua_State   *co = lua_touserdata(L, 1);
    struct host *h = host_of(L);
    char         why[160];

    lua_settop(L, 0);
    if (lua_gettop(co) == 0)
        lua_pushnil(L);
    else {
        lua_settop(co, 1);
        lua_xmove(co, L, 1);
    }
    buf_reset(&h->result);
    const char *fault = json_encode(L, 1, &h->result, true);
    if (fault == NULL)
        return 0;
    snprintf(why, sizeof why, "what the hook returned: %s", fault);
    outcome_set(&h->outcome, MH_RESULT, why);
    h->outcome.too_large = fault == json_too_large;
    return 0;
}

static void finish(struct host *h, struct call *call)
{
    h->outcome.err = MH_OK;
    int status = lua_cpcall(h->L, encode_result, call->co);
    if (status != 0)
        outcome_protected(&h->outcome, h->L, status);
    if (h->outcome.err == MH_OK)
        succeed(h, call);
    else
        fail_and_drop(h, call);
}

static void suspend(struct host *h, struct call *call)
{
    bool asked = h->request_ready && lua_touserdata(call->co, 1) == h;

    h->request_ready = false;
    if (!asked) {
        outcome_set(&h->outcome, MH_PLUGIN, "the hook yielded, but not to wait for moonhook");
        trace_write(call->co, 0, h->outcome.trace, sizeof h->outcome.trace);
        fail_and_drop(h, call);
        return;
    }
    lua_settop(call->co, 0);
    if (++h->last_request_id == 0)
        h->last_request_id = 1;
    call->request_id = h->last_request_id;
    call->waits_since_us = clock_mono_us();
    call->busy_before_us = h->busy_us;
    link_send(&h->link, MSG_REQUEST, call->request_id, &h->head, &h->body);
}

static void resume(struct host *h, struct call *call, int arguments)
{
    int64_t began_us = clock_mono_us();

    h->running = call;
    h->request_ready = false;
    watchdog_begin(call->co, call->left_us, call->cpu_left_us);
    int status = lua_resume(call->co, arguments);
    if (status != 0 && status != LUA_YIELD)
        outcome_from(&h->outcome, call->co, status);
    call->cpu_left_us -= watchdog_end();
    h->running = NULL;
    int64_t spent_us = clock_mono_us() - began_us;
    call->left_us -= spent_us;
    h->busy_us += spent_us;
    if (status == LUA_YIELD)
        suspend(h, call);
    else if (status == 0)
        finish(h, call);
    else
        fail_and_drop(h, call);
}

/* Runs `prepare` on h->L, which leaves its values on the coroutine of `call`. */
struct preparation { struct host *host; struct call *call; const struct frame *frame; int values; };

static void prepare_and_resume(struct host *h, struct call *call, const struct frame *f,
                               lua_CFunction prepare)
{
    struct preparation p = { h, call, f, 0 };
    int                status = lua_cpcall(h->L, prepare, &p);

    if (status != 0) {
        outcome_protected(&h->outcome, h->L, status);
        fail_and_drop(h, call);
        return;
    }
    resume(h, call, p.values);
}

/* ---- CALL ------------------------------------------------------------------------------ */

/* Moves a field of the table at `from` to `name` of the table at `to`. */
static void move_field(lua_State *L, int from, const char *field, int to, const char *name)
{
    lua_getfield(L, from, field);
    lua_setfield(L, to, name);
}

/* Leaves ctx on top. `head`, `event`: stack indices of tables; event may be nil. */
static void push_ctx(lua_State *L, const struct host *h, int head, int event)
{
    lua_createtable(L, 0, 3);
    int ctx = lua_gettop(L);
    json_decode(L, h->config.data, h->config.len);
    lua_setfield(L, ctx, "config");
    move_field(L, head, "delivery_id", ctx, "delivery_id");
    if (lua_isnil(L, event))
        return;
    lua_createtable(L, 0, 5);
    int shown = lua_gettop(L);
    move_field(L, event, "id", shown, "id");
    move_field(L, event, "event", shown, "type");
    move_field(L, event, "org_id", shown, "org_id");
    move_field(L, event, "timestamp", shown, "timestamp");
    move_field(L, head, "attempt", shown, "attempt");
    lua_setfield(L, ctx, "event");
}

static void push_hook(lua_State *L, const struct host *h, const char *name)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->plugin);
    lua_pushstring(L, name ? name : "");
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "the plugin has no hook '%s'", name ? name : "");
}

/* What a hook gets besides ctx, by the head's "arg". */
static int push_argument(lua_State *L, int head, int event)
{
    lua_getfield(L, head, "arg");
    const char *arg = lua_tostring(L, -1);
    lua_pop(L, 1);
    if (lua_isnil(L, event) || arg == NULL || strcmp(arg, "none") == 0)
        return 0;
    if (strcmp(arg, "event") == 0)
        lua_pushvalue(L, event);
    else
        lua_getfield(L, event, "data");
    return 1;
}

static int prepare_call(lua_State *L)
{
    struct preparation *p = lua_touserdata(L, 1);
    enum { HEAD = 2, EVENT };

    p->call->co = lua_newthread(L);
    p->call->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    json_decode(L, p->frame->head, p->frame->head_bytes);
    luaL_checktype(L, HEAD, LUA_TTABLE);
    if (p->frame->body_bytes > 0)
        json_decode(L, p->frame->body, p->frame->body_bytes);
    else
        lua_pushnil(L);
    lua_getfield(L, HEAD, "hook");
    push_hook(L, p->host, lua_tostring(L, -1));
    lua_remove(L, EVENT + 1);
    p->values = push_argument(L, HEAD, EVENT) + 1;
    push_ctx(L, p->host, HEAD, EVENT);
    lua_xmove(L, p->call->co, p->values + 1);
    return 0;
}

void calls_take_call(struct host *h, const struct frame *f)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        outcome_set(&h->outcome, MH_MEMORY, err_text(MH_MEMORY));
        fail(h, f->id, false);
        return;
    }
    *call = (struct call){ .id = f->id, .ref = LUA_NOREF,
                           .left_us = h->limits.timeout_ms * 1000,
                           .cpu_left_us = h->limits.cpu_ms * 1000 };
    list_push_back(&h->calls, &call->node);
    prepare_and_resume(h, call, f, prepare_call);
}

/* ---- REPLY and CANCEL ------------------------------------------------------------------- */

static int prepare_reply(lua_State *L)
{
    struct preparation *p = lua_touserdata(L, 1);

    json_decode(L, p->frame->head, p->frame->head_bytes);
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_pushlstring(L, p->frame->body, p->frame->body_bytes);
    p->values = 2;
    lua_xmove(L, p->call->co, p->values);
    return 0;
}

/* A call waits at its own cost; while others ran, it did not. */
static void charge_wait(const struct host *h, struct call *call)
{
    int64_t waited_us = clock_mono_us() - call->waits_since_us;
    call->left_us -= waited_us - (h->busy_us - call->busy_before_us);
}

void calls_take_reply(struct host *h, const struct frame *f)
{
    list_for_each(node, after, &h->calls) {
        struct call *call = container_of(node, struct call, node);
        if (call->request_id != f->id || f->id == 0)
            continue;
        call->request_id = 0;
        charge_wait(h, call);
        prepare_and_resume(h, call, f, prepare_reply);
        return;
    }
}

void calls_take_cancel(struct host *h, const struct frame *f)
{
    list_for_each(node, after, &h->calls) {
        struct call *call = container_of(node, struct call, node);
        if (call->id == f->id) {
            drop(h, call);
            return;
        }
    }
}
