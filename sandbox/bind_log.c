/* bind_log.c - a line of the plugin's log, as a LOG frame. Written out at once, so
 * that the last words of a hook that hangs or dies are not lost. */
#include "bind.h"

#include "calls.h"
#include "host.h"
#include "base/utf8.h"

#include <lauxlib.h>

enum { LINE_BYTES = 2048 };

static void send_line(struct host *h, uint32_t call, const char *level, const char *text,
                      size_t bytes)
{
    buf_reset(&h->head);
    buf_reset(&h->body);
    if (buf_printf(&h->head, "{\"call\":%u,\"level\":\"%s\"}", call, level) == MH_OK &&
        buf_append(&h->body, text, bytes) == MH_OK)
        link_send(&h->link, MSG_LOG, 0, &h->head, &h->body);
}

/* (level, text). What is past the limit of a call is left out, and that is said once. */
static int log_line(lua_State *L)
{
    static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
    static const char        dropped[] = "further lines of this call are left out";

    struct host *h = host_of(L);
    const char  *level = levels[luaL_checkoption(L, 1, "info", levels)];
    size_t       bytes;
    const char  *text = luaL_checklstring(L, 2, &bytes);
    unsigned    *lines = h->running ? &h->running->log_lines : &h->load_log_lines;
    uint32_t     call = h->running ? h->running->id : 0;

    if (*lines > h->limits.log_lines)
        return 0;
    if ((*lines)++ == h->limits.log_lines)
        send_line(h, call, "warn", dropped, sizeof dropped - 1);
    else
        send_line(h, call, level, text, bytes > LINE_BYTES ? utf8_cut(text, LINE_BYTES) : bytes);
    return 0;
}

void bind_log(lua_State *L)
{
    lua_pushcfunction(L, log_line);
    lua_setfield(L, -2, "log");
}
