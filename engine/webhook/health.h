/* health.h - since when an endpoint does nothing but fail, and what follows from it. Pure:
 * the caller brings the clock (wall time: what is remembered must survive a restart).
 *
 * Rarely written down: a failing that lasts HEALTH_STORE_MS is stored once, and once more when
 * it is over. A crash in between forgets at most that much of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    HEALTH_STORE_MS     = 60 * 1000,
    HEALTH_RECOVERED_MS = 5 * 60 * 1000,    /* shorter failings end without an event */
    HEALTH_FAILURES     = 3,                /* not disabled for less, however far apart */
};

struct health {
    int64_t  failing_since_ms;              /* Unix time of the first failure; 0: it does not fail */
    unsigned failures;                      /* that this engine saw */
    bool     stored;                        /* failing_since_ms is to be in Redis */
    bool     circuit_opened;                /* meanwhile */
};

/* What the caller is to do; bits. */
enum { HEALTH_STORE = 1, HEALTH_DISABLE = 2, HEALTH_RECOVERED = 4 };

/* `disable_after_ms` 0: never. */
unsigned health_failed(struct health *h, int64_t now_ms, int64_t disable_after_ms);
/* *failed_since_ms: when what ends here began; 0 where nothing does. */
unsigned health_succeeded(struct health *h, int64_t now_ms, int64_t *failed_since_ms);
