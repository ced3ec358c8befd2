/* gate.h - when the next attempt at an endpoint may begin: its receiver's pause, its circuit,
 * its rate. Pure: the caller brings the clock (monotonic). */
#pragma once

#include "base/bucket.h"
#include "webhook/breaker.h"

struct gate {
    struct breaker breaker;
    struct bucket  bucket;
    double         per_s;                   /* attempts a second; 0: no limit */
    int64_t        paused_until_ms;         /* what a receiver asked for by Retry-After */
};

/* Milliseconds until an attempt may begin, rounded up: 0 is now; GATE_PROBED while the one
 * attempt that decides about the circuit is under way. */
enum { GATE_PROBED = BREAKER_PROBED };
int64_t gate_wait_ms(struct gate *g, int64_t now_us);

/* The part of it that makes every delivery wait, not only the next: pause and circuit. */
int64_t gate_closed_ms(struct gate *g, int64_t now_ms);

/* An attempt is about to begin, at a time at which gate_wait_ms() is 0. */
void gate_take(struct gate *g, int64_t now_us);

/* Not before `now_ms` + `wait_ms`; an earlier wish that ends later stays. */
void gate_pause(struct gate *g, int64_t wait_ms, int64_t now_ms);

/* No pause, the circuit closed. */
void gate_reset(struct gate *g);
