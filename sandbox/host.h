/* host.h - the one plugin of this process: its Lua state, its files, its calls.
 *
 * Whatever may raise a Lua error (and almost everything that allocates may) runs
 * under lua_cpcall() or in a coroutine. The buffers belong to the host and not to
 * C frames, so that a Lua error leaks nothing. */
#pragma once

#include "base/list.h"
#include "heap.h"
#include "link.h"
#include "outcome.h"
#include "modules.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct call;

struct limits {
    int64_t  timeout_ms, cpu_ms;
    size_t   result_bytes;
    unsigned log_lines;                     /* per call */
};

struct host {
    lua_State     *L;
    struct heap    heap;
    struct link    link;
    struct modules modules;
    struct limits  limits;
    bool           jit, loaded;
    int            plugin;                  /* registry: the table that plugin.lua returned */
    struct buf     config;                  /* JSON; decoded afresh for each call */
    struct list    calls;
    struct call   *running;                 /* NULL between calls and while loading */
    int64_t        busy_us;                 /* time in Lua, of all calls together */
    unsigned       load_log_lines;
    uint32_t       last_request_id;
    bool           request_ready;           /* `head` and `body` hold one, about to be yielded */
    struct buf     head, body, result;
    struct outcome outcome;
};

/* Makes the Lua state and its environment; NULL when there is not enough memory. */
struct host *host_new(size_t memory_bytes, bool jit);

/* Takes frames until the engine closes the socket. */
_Noreturn void host_run(struct host *h);

/* The host that a Lua state belongs to. */
struct host *host_of(lua_State *L);
