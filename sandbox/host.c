/* host.c - see host.h: makes the state, then takes one frame after another. */
#include "host.h"

#include "base/util.h"
#include "calls.h"
#include "env.h"
#include "load.h"

#include <lauxlib.h>
#include <stdlib.h>

enum {
    HEAD_BYTES = 1024 * 1024,
    KEPT_BYTES = 64 * 1024,                 /* an idle process keeps no larger buffer */
};

struct host *host_of(lua_State *L)
{
    void *heap;

    lua_getallocf(L, &heap);
    return container_of(heap, struct host, heap);
}

static int open_environment(lua_State *L)
{
    env_open(L, host_of(L)->jit);
    return 0;
}

struct host *host_new(size_t memory_bytes, bool jit)
{
    struct host *h = calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->heap.max_bytes = memory_bytes;
    h->jit = jit;
    list_init(&h->calls);
    modules_init(&h->modules);
    link_init(&h->link);
    buf_init(&h->head, HEAD_BYTES);
    buf_init(&h->body, FRAME_MAX_BYTES - HEAD_BYTES);
    buf_init(&h->config, HEAD_BYTES);
    h->L = lua_newstate(heap_alloc, &h->heap);
    if (h->L == NULL || lua_cpcall(h->L, open_environment, NULL) != 0)
        return NULL;
    return h;
}

/* Which frames may come before LOADED, and which after. */
static const struct {
    enum msg_type type;
    bool          loaded;
    void        (*take)(struct host *, const struct frame *);
} messages[] = {
    { MSG_FILE,   false, load_take_file },
    { MSG_LOAD,   false, load_take_load },
    { MSG_CALL,   true,  calls_take_call },
    { MSG_REPLY,  true,  calls_take_reply },
    { MSG_CANCEL, true,  calls_take_cancel },
};

static void take(struct host *h, const struct frame *f)
{
    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        if (messages[i].type == f->type && messages[i].loaded == h->loaded) {
            messages[i].take(h, f);
            return;
        }
    link_broken();
}

static void trim(struct host *h)
{
    struct buf *const all[] = { &h->head, &h->body, &h->result };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->cap > KEPT_BYTES)
            buf_deinit(all[i]);
}

void host_run(struct host *h)
{
    struct frame f;

    for (;;) {
        link_next(&h->link, &f);
        take(h, &f);
        trim(h);
    }
}
