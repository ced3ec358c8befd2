/* with_loop.h - for tests that run the loop until something happened, and for those
 * that leave a temp folder behind. */
#pragma once

#include "io/loop.h"

#include <ftw.h>
#include <stdio.h>

enum { PATIENCE_MS = 30000 };

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

static inline void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- The loop: a test that waits in vain fails instead of hanging ------------------ */

/* Ticks, because uv_run() polls once more after a timer fired: without them a condition
 * that a timer made true would be looked at when the next event comes, if any. */
enum { TICK_MS = 5 };

static inline void on_tick(uv_timer_t *timer) { ++*(unsigned *)timer->data; }

#define RUN_UNTIL(loop, condition)                                                                 \
    do {                                                                                           \
        unsigned   ticks_ = 0;                                                                     \
        uv_timer_t timer_;                                                                         \
        uv_timer_init(loop, &timer_);                                                              \
        timer_.data = &ticks_;                                                                     \
        uv_timer_start(&timer_, on_tick, TICK_MS, TICK_MS);                                        \
        while (!(condition) && ticks_ < PATIENCE_MS / TICK_MS)                                     \
            uv_run(loop, UV_RUN_ONCE);                                                             \
        uv_close((uv_handle_t *)&timer_, NULL);                                                    \
        uv_run(loop, UV_RUN_NOWAIT);                                                               \
        if (ticks_ >= PATIENCE_MS / TICK_MS)                                                       \
            fail_msg("waited in vain for: %s", #condition);                                        \
    } while (0)

/* Whatever was closed is freed by now; nothing may be left open. */
static inline void loop_end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}
