/* calls.h - hooks under way. Each is a coroutine; it runs from CALL or REPLY until
 * it returns, fails or asks for something, and what it gave is written out before
 * the next frame is taken (proto/message.h). */
#pragma once

#include "host.h"

struct call {
    struct list node;
    uint32_t    id, request_id;             /* request_id: 0 where none is open */
    lua_State  *co;
    int         ref;                        /* keeps co alive */
    int64_t     left_us, cpu_left_us;       /* of its time, of its CPU time */
    int64_t     waits_since_us, busy_before_us;
    unsigned    log_lines;
};

void calls_take_call(struct host *h, const struct frame *f);
void calls_take_reply(struct host *h, const struct frame *f);
void calls_take_cancel(struct host *h, const struct frame *f);
