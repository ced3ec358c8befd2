/* loop.h - the engine's one event loop; the only place that includes uv.h.
 *
 * Everything in the engine runs on this loop's thread. */
#pragma once

#include "base/err.h"
#include "base/util.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* A timer that its owner embeds. Firing, stopping and starting again may all
 * happen inside its own callback. */
struct timer {
    uv_timer_t handle;
    void     (*fire)(struct timer *);
    bool       open;
};

void timer_init(struct timer *t, uv_loop_t *loop, void (*fire)(struct timer *));
void timer_start(struct timer *t, int64_t delay_ms);        /* once; restarts if running */
void timer_stop(struct timer *t);

/* Fires at the latest after `delay_ms`; one that fires sooner stays as it is. */
void timer_hasten(struct timer *t, int64_t delay_ms);

/* Closes the handle. libuv needs the memory until `closed` is called, on a later turn
 * of the loop; `closed` may be NULL for a timer that is never freed. An owner of two
 * closes the second in `closed` of the first: libuv tells of what was closed in one
 * turn in no order that one could build on. */
void timer_close(struct timer *t, void (*closed)(struct timer *));
