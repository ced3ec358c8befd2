/* waiter.h - POST /api/events?wait=MS: collects the first result of every plugin
 * hook of one event, and answers when all are there or the time is over. */
#pragma once

#include "core/dispatch.h"

struct waiter;

/* Attaches to `e`; `done` comes exactly once. Frees itself. */
struct waiter *waiter_new(uv_loop_t *loop, struct event *e, int64_t wait_ms,
                          dispatch_results *done, void *arg);

void waiter_accepted(void *waiter, enum mh_err err, size_t deliveries);  /* a dispatch_accepted */

/* From dispatch, for every delivery: it is owned; its attempt ended (facts borrowed,
 * may be NULL). Both do nothing where nobody waits. */
void waiter_join(struct delivery *d);
void waiter_result(struct delivery *d, enum mh_err err, const char *facts);
